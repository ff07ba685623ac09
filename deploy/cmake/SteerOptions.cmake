# Compiler settings that hold for every target.
set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE RelWithDebInfo CACHE STRING "" FORCE)
endif()
# -g1 keeps line tables for crash reports at a fifth of the size and link time of -g.
set(CMAKE_CXX_FLAGS_RELWITHDEBINFO "-O2 -g1")

find_program(STEER_CCACHE ccache)
if(STEER_CCACHE)
  set(CMAKE_CXX_COMPILER_LAUNCHER "${STEER_CCACHE}")
  set(CMAKE_CUDA_COMPILER_LAUNCHER "${STEER_CCACHE}")
endif()

add_compile_options($<$<COMPILE_LANGUAGE:CXX>:-Wall> $<$<COMPILE_LANGUAGE:CXX>:-Wextra> $<$<COMPILE_LANGUAGE:CXX>:-Wno-unused-parameter>
                    "$<$<COMPILE_LANGUAGE:CXX>:-ffile-prefix-map=${CMAKE_SOURCE_DIR}=.>")
if(STEER_SANITIZE)
  add_compile_options($<$<COMPILE_LANGUAGE:CXX>:-fsanitize=${STEER_SANITIZE}> $<$<COMPILE_LANGUAGE:CXX>:-fno-omit-frame-pointer>)
  add_link_options(-fsanitize=${STEER_SANITIZE})
endif()
if(STEER_COVERAGE)
  if(NOT CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
    message(FATAL_ERROR "STEER_COVERAGE needs clang: gcc counts the compiler's own ways out (exceptions) as branches")
  endif()
  add_compile_options($<$<COMPILE_LANGUAGE:CXX>:-fprofile-instr-generate> $<$<COMPILE_LANGUAGE:CXX>:-fcoverage-mapping>)
  add_link_options(-fprofile-instr-generate)
  set(CMAKE_CXX_FLAGS_RELWITHDEBINFO "-O1")  # the counts are of the source, so they do not depend on it, and the build is quicker
endif()

# Installed programs find libtorch's five libraries in ../lib; see Dockerfile.
set(CMAKE_INSTALL_RPATH "$ORIGIN/../lib")
