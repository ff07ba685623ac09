// A core dump of either program would hold prompts, completions and keys.
#ifndef STEER_COMMON_CORE_DUMPS_H_
#define STEER_COMMON_CORE_DUMPS_H_

namespace steer {

// No core file, no dump through a pipe (which ignores the size limit), and no reading of this
// process's memory by another of the same user. First thing in main. Programs built with a
// sanitizer keep the right to be traced, which their leak check needs.
void ForbidCoreDumps();

}  // namespace steer

#endif  // STEER_COMMON_CORE_DUMPS_H_
