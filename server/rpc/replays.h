// One execution for each request id (https://google.aip.dev/155): a call that repeats one in
// progress waits for it, and one that repeats a finished one is answered with the same messages.
#ifndef STEER_SERVER_RPC_REPLAYS_H_
#define STEER_SERVER_RPC_REPLAYS_H_

#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/synchronization/mutex.h"
#include "common/status_macros.h"
#include "server/rpc/reactors.h"
#include "server/rpc/service_state.h"
#include "steer/v1/steer_service.pb.h"

namespace steer {

// Thread-safe. Replies are kept only after they ended well: a call that failed or was cancelled may
// be tried again under its id. Progress is not kept.
template <class Response>
class Replays {
 public:
  using Stream = StreamCall<Response>;
  class Execution;
  // Starts the work, which then calls Push and Done of the execution; as with handlers, an error
  // means that it never will.
  using Run = std::function<absl::Status(const std::shared_ptr<Execution>&)>;
  // Whether a kept reply, by its last message, may still be given.
  using Valid = std::function<bool(const Response& last)>;

  // `replies` and `bytes` bound what is kept; the oldest go first. A reply that alone is too large
  // is not kept, and who waits for it runs its own.
  Replays(ServiceState* state, size_t replies, int64_t bytes)
      : state_(state), max_replies_(replies), max_bytes_(bytes) {}

  // What the work writes to instead of its stream. Its methods are called as those of the stream.
  class Execution {
   public:
    // Without a table nothing is kept.
    Execution(Replays* table, std::string id, std::shared_ptr<Stream> stream)
        : table_(table), id_(std::move(id)), stream_(std::move(stream)) {}
    Call& call() { return stream_->call(); }
    void Push(Response message) {
      if (table_ != nullptr) table_->Keep(*this, message);
      stream_->Push(std::move(message));
    }
    void Done(const absl::Status& status) {
      if (table_ != nullptr) table_->End(*this, status);
      stream_->Done(status);
    }

   private:
    friend class Replays;
    Replays* const table_;
    const std::string id_;
    const std::shared_ptr<Stream> stream_;
  };

  // Runs, waits or replays. ALREADY_EXISTS (REQUEST_ID_REUSED) if `id` stood for another digest;
  // otherwise errors of `run`. After OK the stream's Done has been or will be called.
  absl::Status Start(const std::string& id, const std::string& digest,
                     std::shared_ptr<Stream> stream, Run run, const Valid& valid = nullptr) {
    STEER_RETURN_IF_ERROR(state_->request_ids.Claim(id, digest));
    const std::string key = absl::AsciiStrToLower(id);
    std::shared_ptr<const Messages> kept;
    {
      absl::MutexLock lock(&mutex_);
      auto [it, added] = entries_.try_emplace(key);
      Entry& entry = it->second;
      if (!added && entry.running) {
        stream->call().audit().counts["joined"] = 1;
        entry.waiting.push_back({std::move(stream), std::move(run)});
        return absl::OkStatus();
      }
      if (!added && (valid == nullptr || valid(entry.messages->back()))) {
        kept = entry.messages;
      } else {
        if (!added) Forget(it);
        entries_[key].running = true;
      }
    }
    if (kept != nullptr) {
      Replay(stream, kept);
      return absl::OkStatus();
    }
    auto execution = std::make_shared<Execution>(this, key, std::move(stream));
    absl::Status status = Guarded([&] { return run(execution); });
    if (!status.ok()) End(*execution, status);
    return status;
  }

  // Ends calls that wait and were cancelled or are late: nobody else looks at them.
  void Expire() {
    std::vector<std::pair<std::shared_ptr<Stream>, absl::Status>> gone;
    {
      absl::MutexLock lock(&mutex_);
      for (auto& [id, entry] : entries_) {
        for (auto it = entry.waiting.begin(); it != entry.waiting.end();) {
          absl::Status status = it->stream->call().Check();
          if (status.ok()) {
            ++it;
            continue;
          }
          gone.emplace_back(std::move(it->stream), std::move(status));
          it = entry.waiting.erase(it);
        }
      }
    }
    for (auto& [stream, status] : gone) stream->Done(std::move(status));
  }

 private:
  using Messages = std::vector<Response>;
  struct Waiting {
    std::shared_ptr<Stream> stream;
    Run run;
  };
  struct Entry {
    bool running = false;
    bool too_large = false;
    std::shared_ptr<Messages> messages = std::make_shared<Messages>();
    int64_t bytes = 0;
    std::list<Waiting> waiting;
  };
  using Entries = std::map<std::string, Entry>;

  void Keep(const Execution& execution, const Response& message) {
    absl::MutexLock lock(&mutex_);
    Entry& entry = entries_.at(execution.id_);
    if (message.has_progress()) {
      for (const Waiting& waiting : entry.waiting) waiting.stream->Push(message);
      return;
    }
    if (entry.too_large) return;
    const auto size = static_cast<int64_t>(message.ByteSizeLong());
    while (bytes_ + size > max_bytes_ && !finished_.empty()) {
      Forget(entries_.find(finished_.front()));
    }
    if (bytes_ + size > max_bytes_) {
      entry.too_large = true;
      bytes_ -= std::exchange(entry.bytes, 0);
      entry.messages->clear();
      return;
    }
    bytes_ += size;
    entry.bytes += size;
    entry.messages->push_back(message);
  }

  void End(const Execution& execution, const absl::Status& status) {
    // The cause of its own call is no answer to those that wait: one of them runs.
    const bool own = !status.ok() && !execution.stream_->call().Check().ok();
    std::list<Waiting> answered;
    std::shared_ptr<const Messages> kept;
    {
      absl::MutexLock lock(&mutex_);
      auto it = entries_.find(execution.id_);
      Entry& entry = it->second;
      if (status.ok() && !entry.too_large) {
        entry.running = false;
        kept = entry.messages;
        answered.swap(entry.waiting);
        finished_.push_back(execution.id_);
        while (finished_.size() > max_replies_) Forget(entries_.find(finished_.front()));
      } else if ((own || status.ok()) && !entry.waiting.empty()) {
        Waiting next = std::move(entry.waiting.front());
        entry.waiting.pop_front();
        bytes_ -= std::exchange(entry.bytes, 0);
        entry.messages = std::make_shared<Messages>();
        entry.too_large = false;
        Promote(execution.id_, std::move(next));
      } else {
        answered.swap(entry.waiting);
        bytes_ -= entry.bytes;
        entries_.erase(it);
      }
    }
    for (const Waiting& waiting : answered) {
      if (kept != nullptr) {
        Replay(waiting.stream, kept);
      } else {
        waiting.stream->Done(status);
      }
    }
  }

  // On the edge pool: End is called where nobody may wait.
  void Promote(const std::string& id, Waiting next) {
    state_->pool.Run([this, id, next = std::move(next)] {
      auto execution = std::make_shared<Execution>(this, id, next.stream);
      absl::Status status = next.stream->call().Check();
      if (status.ok()) status = Guarded([&] { return next.run(execution); });
      if (!status.ok()) execution->Done(status);
    });
  }

  void Replay(const std::shared_ptr<Stream>& stream, std::shared_ptr<const Messages> kept) {
    stream->call().audit().counts["replayed"] = 1;
    stream->call().CountReplay();
    stream->Done(absl::OkStatus(),
                 [kept = std::move(kept), next = size_t{0}](Response* out) mutable {
                   if (next == kept->size()) return false;
                   *out = (*kept)[next++];
                   return true;
                 });
  }

  void Forget(typename Entries::iterator it) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    bytes_ -= it->second.bytes;
    finished_.remove(it->first);
    entries_.erase(it);
  }

  ServiceState* const state_;
  const size_t max_replies_;
  const int64_t max_bytes_;
  absl::Mutex mutex_;
  Entries entries_ ABSL_GUARDED_BY(mutex_);                  // running and kept
  std::list<std::string> finished_ ABSL_GUARDED_BY(mutex_);  // kept ones, oldest first
  int64_t bytes_ ABSL_GUARDED_BY(mutex_) = 0;
};

struct ReplayTables {
  explicit ReplayTables(ServiceState* state)
      : fits(state, state->options.replay_calls, state->options.replay_bytes),
        evaluations(state, state->options.replay_calls, state->options.replay_bytes) {}
  Replays<v1::FitDirectionResponse> fits;
  Replays<v1::EvaluateResponse> evaluations;
};

}  // namespace steer

#endif  // STEER_SERVER_RPC_REPLAYS_H_
