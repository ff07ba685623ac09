#include "tests/client/api/fake_service.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstring>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "common/digest.h"
#include "common/prompt_form.h"

namespace steer {
namespace {

constexpr double kNorm = 2.5;

// Uniform in [0, 1) from a text.
double Uniform(const std::string& text) {
  return static_cast<double>(std::stoull(Sha256Hex(text).substr(0, 12), nullptr, 16)) /
         std::pow(2.0, 48);
}

std::string Hash(const v1::Prompt& prompt) { return *PromptHash(prompt.user()); }

bool IsHarmful(const v1::Prompt& prompt) { return absl::StrContains(prompt.user(), kHarmfulWord); }

std::string DigestOf(const v1::DirectionRef& ref) {
  std::string name = absl::StrCat(ref.set_id(), "/", ref.position(), "/", ref.layer());
  if (ref.has_control())
    absl::StrAppend(&name, "/", ref.control().seed(), "/", ref.control().draw());
  return Sha256Hex(name);
}

int PromptTokens(const v1::Prompt& prompt) {
  return static_cast<int>(prompt.user().size() % 7) + 5;
}

// The direction of an intervention's only op, or null.
const v1::DirectionRef* DirectionOf(const v1::Intervention& intervention) {
  if (intervention.ops().empty()) return nullptr;
  const v1::Op& op = intervention.ops(0);
  if (op.has_ablate()) return &op.ablate().directions(0);
  return op.has_add() ? &op.add().direction() : nullptr;
}

}  // namespace

FakeService::FakeService() {
  behaviour.limits.set_max_context_tokens(512);
  behaviour.limits.set_max_new_tokens(64);
  behaviour.limits.set_max_prompts(256);
  behaviour.limits.set_max_arms(64);
  behaviour.limits.set_max_rows(4096);
  behaviour.limits.set_max_request_bytes(1 << 20);
  behaviour.limits.set_max_concurrent_calls(4);
  behaviour.limits.set_max_state_bytes(1 << 30);
  behaviour.limits.set_max_import_bytes(1 << 20);
}

void FakeService::Start() {
  grpc::ServerBuilder builder;
  int port = 0;
  builder.AddListeningPort(absl::StrCat("127.0.0.1:", port_), grpc::InsecureServerCredentials(),
                           &port);
  builder.RegisterService(this);
  server_ = builder.BuildAndStart();
  if (port != 0) port_ = port;
}

void FakeService::Stop() {
  if (!server_) return;
  server_->Shutdown(std::chrono::system_clock::now() + std::chrono::milliseconds(200));
  server_->Wait();
  server_.reset();
}

std::string FakeService::address() const { return absl::StrCat("127.0.0.1:", port_); }

std::vector<v1::EvaluateRequest> FakeService::evaluate_requests() const {
  absl::MutexLock lock(&mutex_);
  return evaluate_requests_;
}
int FakeService::fit_calls() const {
  absl::MutexLock lock(&mutex_);
  return fit_calls_;
}
int FakeService::import_calls() const {
  absl::MutexLock lock(&mutex_);
  return import_calls_;
}
void FakeService::ForgetSets() {
  absl::MutexLock lock(&mutex_);
  sets_.clear();
}

grpc::Status FakeService::GetModel(grpc::ServerContext*, const v1::GetModelRequest*,
                                   v1::GetModelResponse* m) {
  if (grpc::Status refused = Refusal("GetModel"); !refused.ok()) return refused;
  {
    absl::MutexLock lock(&mutex_);
    size_t call = static_cast<size_t>(model_calls_++);
    if (call < behaviour.model_errors.size()) return behaviour.model_errors[call];
  }
  m->set_name("fake-model");
  m->set_family("llama");
  m->set_layers(behaviour.layers);
  m->set_hidden(8);
  m->set_vocabulary(100);
  m->set_parameters(1000);
  m->set_model_fingerprint(behaviour.model_fingerprint);
  m->set_numeric_fingerprint(behaviour.numeric_fingerprint);
  (*m->mutable_numeric_facts())["threads"] = "2";
  m->set_device("cpu");
  m->set_dtype("float32");
  v1::Token* token = m->add_refusal_tokens();
  token->set_id(7);
  token->set_piece("I");
  for (const char* name : {"post-1", "opening-1"}) {
    v1::Readout* readout = m->add_readouts();
    readout->set_name(name);
    readout->set_digest(Sha256Hex(name));
  }
  m->set_chat_template_digest(Sha256Hex("template"));
  *m->mutable_limits() = behaviour.limits;
  m->add_features("states");
  m->set_version("0.1.0");
  m->set_contract_version("steer.v1/1");
  m->set_prefill_tokens_per_second(1000);
  m->set_decode_steps_per_second(50);
  m->set_decode_rows(8);
  m->set_prefill_tokens(64);
  m->add_control_families("isotropic");
  return grpc::Status::OK;
}

grpc::Status FakeService::Tokenize(grpc::ServerContext*, const v1::TokenizeRequest* request,
                                   v1::TokenizeResponse* response) {
  for (const v1::Prompt& prompt : request->prompts()) {
    v1::TokenizedPrompt* out = response->add_prompts();
    for (int i = 0; i < PromptTokens(prompt); ++i) {
      out->add_ids(i + 1);
      if (!request->pieces()) continue;
      v1::Token* token = out->add_tokens();
      token->set_id(i + 1);
      token->set_piece(i == 0 ? "<s>\n" : absl::StrCat("p", i));
    }
    out->set_prompt_hash(Hash(prompt));
  }
  return grpc::Status::OK;
}

grpc::Status FakeService::FitDirection(grpc::ServerContext*, const v1::FitDirectionRequest* request,
                                       grpc::ServerWriter<v1::FitDirectionResponse>* writer) {
  if (grpc::Status refused = Refusal("FitDirection"); !refused.ok()) return refused;
  Sha256 digest;
  digest.Field(behaviour.numeric_fingerprint);
  for (const v1::Prompt& p : request->harmful()) digest.Field(Hash(p));
  for (const v1::Prompt& p : request->harmless()) digest.Field(Hash(p));
  v1::DirectionSet set;
  set.set_set_id(digest.Hex());
  set.set_content_digest(Sha256Hex(set.set_id()));
  set.set_method("difference-of-means-1");
  set.set_model_fingerprint(behaviour.model_fingerprint);
  set.set_numeric_fingerprint(behaviour.numeric_fingerprint);
  set.set_layers(behaviour.layers);
  set.set_hidden(8);
  set.set_harmful_prompts(request->harmful_size());
  set.set_harmless_prompts(request->harmless_size());
  set.set_has_states(!request->drop_states());
  set.set_format_version(1);
  for (int position : request->positions()) {
    set.add_positions(position);
    for (int layer = 0; layer < behaviour.layers; ++layer) {
      v1::LayerReport* r = set.add_reports();
      r->set_position(position);
      r->set_layer(layer);
      r->set_usable(behaviour.unusable_layers.count(layer) == 0);
      r->set_norm(r->usable() ? kNorm : 0);
      r->set_projection_gap(r->usable() ? 2.0 + 0.1 * layer : 0);
      r->set_auc(r->usable() ? 0.9 : 0.5);
      r->set_largest_coordinate_share(0.25);
      r->set_mean_state_norm(10);
      r->set_mean_cosine(0.8);
      v1::DirectionRef ref;
      ref.set_set_id(set.set_id());
      ref.set_position(position);
      ref.set_layer(layer);
      r->set_direction_digest(DigestOf(ref));
    }
  }
  if (behaviour.edit_set) behaviour.edit_set(&set);
  v1::FitDirectionResponse message;
  message.mutable_progress()->set_rows_done(1);
  message.mutable_progress()->set_rows_total(request->harmful_size() + request->harmless_size());
  writer->Write(message);
  {
    absl::MutexLock lock(&mutex_);
    ++fit_calls_;
    message.mutable_result()->set_cached(sets_.count(set.set_id()) > 0);
    sets_[set.set_id()] = set;
  }
  *message.mutable_result()->mutable_set() = set;
  writer->Write(message);
  return grpc::Status::OK;
}

grpc::Status FakeService::GetDirection(grpc::ServerContext*, const v1::GetDirectionRequest* request,
                                       v1::GetDirectionResponse* response) {
  if (grpc::Status refused = Refusal("GetDirection"); !refused.ok()) return refused;
  absl::MutexLock lock(&mutex_);
  auto it = sets_.find(request->set_id());
  if (it == sets_.end())
    return DetailedStatus(grpc::StatusCode::NOT_FOUND, "no such set", "SET_NOT_FOUND");
  *response->mutable_set() = it->second;
  if (request->has_direction()) {
    response->set_direction_digest(DigestOf(request->direction()));
    response->set_direction_norm(kNorm);
    response->set_cosine_with_fitted(request->direction().has_control() ? 0.1 : 1);
  }
  if (behaviour.edit_direction) behaviour.edit_direction(response);
  return grpc::Status::OK;
}

v1::Outcome FakeService::OutcomeOf(const v1::EvaluateRequest& request, int arm, int prompt) const {
  const v1::Prompt& text = request.prompts(prompt);
  const v1::Intervention& intervention = request.arms(arm).intervention();
  const v1::DirectionRef* direction = DirectionOf(intervention);
  double base = IsHarmful(text) ? behaviour.baseline_refusal : 0.05;
  double p = base;
  if (direction != nullptr && !direction->has_control()) {
    double distance = std::abs(direction->layer() - behaviour.best_layer);
    double strength = std::max(0.0, 1 - distance / 3);
    p = intervention.ops(0).has_ablate() ? base * (1 - strength) : std::max(base, strength * 0.97);
  }
  std::string hash = Hash(text);
  v1::Outcome outcome;
  outcome.set_arm(arm);
  outcome.set_prompt(prompt);
  outcome.set_refused(Uniform(hash) < p ? v1::REFUSED_YES : v1::REFUSED_NO);
  outcome.set_quality(request.judge_quality() ? v1::QUALITY_OK : v1::QUALITY_NOT_JUDGED);
  if (request.scores()) {
    outcome.set_refusal_log_odds(10 * (p - 0.5) + Uniform(hash + "odds"));
    outcome.set_kl(direction == nullptr ? 0 : Uniform(hash + "kl"));
  }
  outcome.set_generated_tokens(4 + static_cast<int>(Uniform(hash + "n") * 4));
  outcome.set_finish_reason(v1::FINISH_REASON_END_OF_TURN);
  outcome.set_token_digest(Sha256Hex(absl::StrCat(hash, intervention.SerializeAsString())));
  outcome.set_prompt_hash(hash);
  return outcome;
}

v1::ArmResult FakeService::ResultOf(const v1::EvaluateRequest& request, int arm,
                                    const std::vector<v1::Outcome>& rows) const {
  const v1::DirectionRef* direction = DirectionOf(request.arms(arm).intervention());
  v1::ArmResult result;
  result.set_arm(arm);
  result.set_name(request.arms(arm).name());
  v1::Receipt* r = result.mutable_receipt();
  for (const v1::Outcome& row : rows) {
    r->set_rows(r->rows() + 1);
    r->set_generated_tokens(r->generated_tokens() + row.generated_tokens());
    r->set_tokens(r->tokens() + PromptTokens(request.prompts(row.prompt())) +
                  row.generated_tokens() - 1);
  }
  r->set_steps(10);
  if (direction != nullptr) {
    bool ablate = request.arms(arm).intervention().ops(0).has_ablate();
    r->set_sites(ablate ? 2 * behaviour.layers + 1 : 1);
    r->set_edits(r->tokens() * r->sites());
    r->set_expected_edits(r->edits());
    r->set_mean_relative_dose(ablate ? 0.08 : 0.25);
    r->set_largest_residual_projection(ablate ? 1e-7 : 0);
    r->add_direction_digests(DigestOf(*direction));
    r->add_content_digests(Sha256Hex(direction->set_id()));
  }
  r->set_model_fingerprint(behaviour.model_fingerprint);
  r->set_numeric_fingerprint(behaviour.numeric_fingerprint);
  r->set_decode_rows(8);
  r->set_prefill_tokens(64);
  return result;
}

grpc::Status FakeService::Evaluate(grpc::ServerContext* context, const v1::EvaluateRequest* request,
                                   grpc::ServerWriter<v1::EvaluateResponse>* writer) {
  bool breaks = false;
  {
    absl::MutexLock lock(&mutex_);
    evaluate_requests_.push_back(*request);
    breaks = static_cast<int>(evaluate_requests_.size()) <= behaviour.broken_streams;
  }
  if (request->expected_numeric_fingerprint() != "" &&
      request->expected_numeric_fingerprint() != behaviour.numeric_fingerprint) {
    return DetailedStatus(grpc::StatusCode::FAILED_PRECONDITION, "other numerics",
                          "NUMERICS_MISMATCH");
  }
  if (behaviour.refuse_evaluate) {
    grpc::Status refused = behaviour.refuse_evaluate(*request);
    if (!refused.ok()) return refused;
  }
  std::set<std::pair<int, int>> held;
  for (const v1::HeldRow& row : request->held()) held.insert({row.arm(), row.prompt()});
  std::vector<std::vector<int>> left(request->arms_size());
  for (int a = 0; a < request->arms_size(); ++a) {
    for (int p : request->arms(a).prompts()) {
      if (held.count({a, p}) == 0) left[a].push_back(p);
    }
  }
  std::vector<std::pair<int, int>> order;
  size_t longest = 0;
  for (const auto& rows : left) longest = std::max(longest, rows.size());
  if (behaviour.round_robin) {
    for (size_t i = 0; i < longest; ++i) {
      for (int a = 0; a < request->arms_size(); ++a) {
        if (i < left[a].size()) order.push_back({a, left[a][i]});
      }
    }
  } else {
    for (int a = 0; a < request->arms_size(); ++a) {
      for (int p : left[a]) order.push_back({a, p});
    }
  }
  std::vector<std::vector<v1::Outcome>> done(request->arms_size());
  int64_t sequence = 0;
  for (const auto& [a, p] : order) {
    if (context->IsCancelled()) return grpc::Status::CANCELLED;
    if (breaks && sequence == behaviour.break_after)
      return grpc::Status(grpc::StatusCode::UNAVAILABLE, "the stream broke");
    if (behaviour.row_milliseconds > 0)
      absl::SleepFor(absl::Milliseconds(behaviour.row_milliseconds));
    v1::EvaluateResponse message;
    *message.mutable_outcome() = OutcomeOf(*request, a, p);
    message.mutable_outcome()->set_sequence(sequence++);
    done[a].push_back(message.outcome());
    if (behaviour.edit_outcome) behaviour.edit_outcome(message.mutable_outcome());
    writer->Write(message);
    if (done[a].size() == left[a].size()) {
      *message.mutable_arm_result() = ResultOf(*request, a, done[a]);
      if (behaviour.edit_receipt) behaviour.edit_receipt(message.mutable_arm_result());
      writer->Write(message);
    }
  }
  v1::EvaluateResponse message;
  message.mutable_summary()->set_outcomes(sequence);
  writer->Write(message);
  return grpc::Status::OK;
}

}  // namespace steer
