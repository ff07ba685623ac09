// The gRPC side of a call: a reactor for each shape of RPC. gRPC's rules for them (1.51): exactly
// one Finish, one write in flight, the message lives until OnWriteDone, reactions may run
// concurrently, nothing after OnDone. A reactor keeps itself alive until OnDone; others may hold it
// longer.
#ifndef STEER_SERVER_RPC_REACTORS_H_
#define STEER_SERVER_RPC_REACTORS_H_

#include <deque>
#include <exception>
#include <functional>
#include <memory>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "common/errors.h"
#include "grpcpp/support/server_callback.h"
#include "server/rpc/call.h"

namespace steer {

// Runs a handler; what it throws (out of memory, in the main) must not leave as UNKNOWN.
template <class Handler>
absl::Status Guarded(const Handler& handler) {
  try {
    return handler();
  } catch (const std::bad_alloc&) {
    return MakeError(absl::StatusCode::kResourceExhausted, "OUT_OF_MEMORY",
                     "the server has not enough memory for this call");
  } catch (const std::exception&) {
    return MakeError(absl::StatusCode::kInternal, "UNEXPECTED_EXCEPTION",
                     "the server met an unexpected condition in this call");
  }
}

class UnaryCall final : public grpc::ServerUnaryReactor {
 public:
  static std::shared_ptr<UnaryCall> Make(std::shared_ptr<Call> call) {
    std::shared_ptr<UnaryCall> reactor(new UnaryCall(std::move(call)));
    reactor->self_ = reactor;
    return reactor;
  }
  Call& call() { return *call_; }
  // Once.
  void Done(absl::Status status) { Finish(call_->Complete(std::move(status))); }

 private:
  explicit UnaryCall(std::shared_ptr<Call> call) : call_(std::move(call)) {}
  void OnCancel() override { call_->ClientGone(); }
  void OnDone() override {
    call_->Detach();
    std::shared_ptr<UnaryCall> last = std::move(self_);
  }
  const std::shared_ptr<Call> call_;
  std::shared_ptr<UnaryCall> self_;
};

// A mailbox between whoever produces messages (the engine thread, which must not wait) and the
// wire. Messages wait here in a queue bounded in bytes; one that can be merged into the last
// waiting one is.
template <class Response>
class StreamCall final : public grpc::ServerWriteReactor<Response> {
 public:
  // True if `next` has been merged into `last`.
  using Merge = bool (*)(Response& last, Response& next);
  // Fills the next message, false at the end.
  using Source = std::function<bool(Response*)>;

  static std::shared_ptr<StreamCall> Make(std::shared_ptr<Call> call, Merge merge) {
    std::shared_ptr<StreamCall> reactor(new StreamCall(std::move(call), merge));
    reactor->self_ = reactor;
    return reactor;
  }
  Call& call() { return *call_; }

  // Any thread; never blocks. Nothing may be pushed after Done. A reader that is so slow that the
  // queue overflows has its call cancelled with RESOURCE_EXHAUSTED (SLOW_READER).
  void Push(Response message) {
    {
      absl::MutexLock lock(&mutex_);
      if (call_->cancelled()) return;
      if (queue_.empty() || merge_ == nullptr || !merge_(queue_.back(), message)) {
        queue_.push_back(std::move(message));
      }
      // Merging and pushing both change only the last message.
      const int64_t size = static_cast<int64_t>(queue_.back().ByteSizeLong());
      if (pending_sizes_.size() == queue_.size()) {
        pending_bytes_ += size - pending_sizes_.back();
        pending_sizes_.back() = size;
      } else {
        pending_bytes_ += size;
        pending_sizes_.push_back(size);
      }
      if (pending_bytes_ > call_->state().options.max_pending_bytes) {
        call_->Cancel(MakeError(
            absl::StatusCode::kResourceExhausted, "SLOW_READER",
            absl::StrCat("more than ", call_->state().options.max_pending_bytes,
                         " bytes waited to be read; read faster or ask for fewer rows a call")));
      }
    }
    Advance();
  }

  // Any thread, once: the call ends with `status` after the messages that wait (if it was not
  // cancelled) and what `source` still gives have been written. Only this leads to Finish.
  void Done(absl::Status status, Source source = nullptr) {
    {
      absl::MutexLock lock(&mutex_);
      done_ = true;
      status_ = std::move(status);
      source_ = std::move(source);
    }
    Advance();
  }

 private:
  StreamCall(std::shared_ptr<Call> call, Merge merge) : call_(std::move(call)), merge_(merge) {}

  void OnWriteDone(bool ok) override {
    if (!ok) call_->ClientGone();
    {
      absl::MutexLock lock(&mutex_);
      writing_ = false;
    }
    Advance();
  }
  void OnCancel() override { call_->ClientGone(); }
  void OnDone() override {
    call_->Detach();
    std::shared_ptr<StreamCall> last = std::move(self_);
  }

  // Starts the next write or the end, if neither is under way. The operations are started outside
  // of the lock; `writing_` and `finishing_` keep them to one.
  void Advance() {
    bool finish = false;
    {
      absl::MutexLock lock(&mutex_);
      if (writing_ || finishing_) return;
      if (call_->cancelled()) {
        queue_.clear();
        source_ = nullptr;
        if (done_ && status_.ok()) status_ = call_->Check();
      }
      if (!queue_.empty()) {
        current_ = std::move(queue_.front());
        queue_.pop_front();
        pending_bytes_ -= pending_sizes_.front();
        pending_sizes_.pop_front();
        writing_ = true;
      } else if (done_) {
        current_.Clear();
        writing_ = source_ != nullptr && source_(&current_);
        finish = finishing_ = !writing_;
      } else {
        return;
      }
    }
    if (finish) {
      this->Finish(call_->Complete(std::move(status_)));
    } else {
      this->StartWrite(&current_);
    }
  }

  const std::shared_ptr<Call> call_;
  const Merge merge_;
  std::shared_ptr<StreamCall> self_;
  absl::Mutex mutex_;
  std::deque<Response> queue_ ABSL_GUARDED_BY(mutex_);
  std::deque<int64_t> pending_sizes_ ABSL_GUARDED_BY(mutex_);
  int64_t pending_bytes_ ABSL_GUARDED_BY(mutex_) = 0;
  bool writing_ ABSL_GUARDED_BY(mutex_) = false;
  bool done_ ABSL_GUARDED_BY(mutex_) = false;
  bool finishing_ ABSL_GUARDED_BY(mutex_) = false;
  absl::Status status_;  // written before done_, read by the one thread that sets finishing_
  Source source_ ABSL_GUARDED_BY(mutex_);
  Response current_;  // belongs to gRPC while writing_
};

// The two wrappers that every handler goes through. Handlers run on the edge pool.

template <class Request, class Response>
grpc::ServerUnaryReactor* RunUnary(ServiceState* state, absl::string_view method,
                                   grpc::CallbackServerContext* context, const Request* request,
                                   Response* response,
                                   absl::Status (*handler)(Call&, const Request&, Response*)) {
  auto reactor = UnaryCall::Make(std::make_shared<Call>(state, method, context));
  if (absl::Status status = reactor->call().Start(request->ByteSizeLong()); !status.ok()) {
    reactor->Done(std::move(status));
    return reactor.get();
  }
  state->pool.Run([reactor, request, response, handler] {
    Call& call = reactor->call();
    absl::Status status = call.Check();
    if (status.ok()) status = Guarded([&] { return handler(call, *request, response); });
    reactor->Done(std::move(status));
  });
  return reactor.get();
}

// The handler's error ends the call; after OK, whoever it gave the stream to calls Done.
template <class Request, class Response>
grpc::ServerWriteReactor<Response>* RunStream(
    ServiceState* state, absl::string_view method, bool transfer,
    typename StreamCall<Response>::Merge merge, grpc::CallbackServerContext* context,
    const Request* request,
    absl::Status (*handler)(const std::shared_ptr<StreamCall<Response>>&, const Request&)) {
  auto stream = StreamCall<Response>::Make(std::make_shared<Call>(state, method, context), merge);
  if (absl::Status status = stream->call().Start(request->ByteSizeLong(), transfer); !status.ok()) {
    stream->Done(std::move(status));
    return stream.get();
  }
  state->pool.Run([stream, request, handler] {
    absl::Status status = stream->call().Check();
    if (status.ok()) status = Guarded([&] { return handler(stream, *request); });
    if (!status.ok()) stream->Done(std::move(status));
  });
  return stream.get();
}

}  // namespace steer

#endif  // STEER_SERVER_RPC_REACTORS_H_
