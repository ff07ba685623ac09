// Every rule that the contract's comments state for requests, one broken request each.
#include "server/rpc/validate.h"

#include <cmath>
#include <functional>

#include "gtest/gtest.h"
#include "tests/server/rpc/service_fixture.h"

namespace steer {
namespace {

const RequestBounds kBounds = [] {
  RequestBounds b;
  b.layers = 2;
  b.vocabulary = 260;
  b.max_context_tokens = 200;
  b.max_new_tokens = 64;
  b.max_prompts = 8;
  b.max_arms = 4;
  b.max_rows = 16;
  return b;
}();

std::string Fields(const ViolationList& list) {
  std::string fields;
  for (const Violation& v : list.violations()) {
    EXPECT_FALSE(v.description.empty());
    absl::StrAppend(&fields, fields.empty() ? "" : " ", v.field);
  }
  return fields;
}

template <class Request>
struct Case {
  const char* what;
  std::function<void(Request&)> change;
  const char* fields;  // of the violations, joined by spaces
};

template <class Request>
void TryAll(const Request& good, const std::vector<Case<Request>>& cases) {
  ViolationList none;
  Validate(good, kBounds, &none);
  EXPECT_EQ(Fields(none), "");
  for (const Case<Request>& c : cases) {
    Request request = good;
    c.change(request);
    ViolationList found;
    Validate(request, kBounds, &found);
    EXPECT_EQ(Fields(found), c.fields) << c.what;
  }
}

TEST(ValidateTest, Prompts) {
  v1::TokenizeRequest good;
  good.add_prompts()->set_user("a");
  using R = v1::TokenizeRequest;
  TryAll<R>(
      good,
      {{"none", [](R& r) { r.clear_prompts(); }, "prompts"},
       {"too many",
        [](R& r) {
          for (int i = 0; i < 8; ++i) r.add_prompts()->set_user("a");
        },
        "prompts"},
       {"as many as allowed",
        [](R& r) {
          for (int i = 0; i < 7; ++i) r.add_prompts()->set_user("a");
        },
        ""},
       {"empty", [](R& r) { r.mutable_prompts(0)->clear_user(); }, "prompts[0].user"},
       {"largest", [](R& r) { r.mutable_prompts(0)->set_user(std::string(32768, 'a')); }, ""},
       {"too long", [](R& r) { r.mutable_prompts(0)->set_user(std::string(32769, 'a')); },
        "prompts[0].user"},
       {"not UTF-8", [](R& r) { r.mutable_prompts(0)->set_user("a\xff"); }, "prompts[0].user"},
       {"surrogate", [](R& r) { r.mutable_prompts(0)->set_user("\xed\xa0\x80"); },
        "prompts[0].user"},
       {"NUL", [](R& r) { r.mutable_prompts(0)->set_user(std::string("a\0b", 3)); },
        "prompts[0].user"},
       {"empty system is a choice", [](R& r) { r.mutable_prompts(0)->set_system(""); }, ""},
       {"system with NUL", [](R& r) { r.mutable_prompts(0)->set_system(std::string("\0", 1)); },
        "prompts[0].system"},
       {"system not UTF-8", [](R& r) { r.mutable_prompts(0)->set_system("\x80"); },
        "prompts[0].system"},
       {"system too long", [](R& r) { r.mutable_prompts(0)->set_system(std::string(32769, 'a')); },
        "prompts[0].system"},
       {"all at once",
        [](R& r) {
          r.mutable_prompts(0)->clear_user();
          r.add_prompts()->set_user("\xff");
        },
        "prompts[0].user prompts[1].user"}});
}

TEST(ValidateTest, Fit) {
  using R = v1::FitDirectionRequest;
  TryAll<R>(
      FitRequest(),
      {{"no id", [](R& r) { r.clear_request_id(); }, "request_id"},
       {"bad id", [](R& r) { r.set_request_id("123e4567e89b42d3a456426614174000"); }, "request_id"},
       {"bad digit", [](R& r) { r.set_request_id("123e4567-e89b-42d3-a456-42661417400g"); },
        "request_id"},
       {"upper case id", [](R& r) { r.set_request_id("123E4567-E89B-42D3-A456-426614174000"); },
        ""},
       {"no model", [](R& r) { r.clear_expected_model_fingerprint(); },
        "expected_model_fingerprint"},
       {"one harmful", [](R& r) { r.mutable_harmful()->RemoveLast(); }, "harmful"},
       {"one harmless", [](R& r) { r.mutable_harmless()->RemoveLast(); }, "harmless"},
       {"bad prompt", [](R& r) { r.mutable_harmless(1)->clear_user(); }, "harmless[1].user"},
       {"position 0", [](R& r) { r.add_positions(0); }, "positions[0]"},
       {"position beyond the context", [](R& r) { r.add_positions(-201); }, "positions[0]"},
       {"positions", [](R& r) { r.add_positions(-1), r.add_positions(-2); }, ""},
       {"position twice", [](R& r) { r.add_positions(-1), r.add_positions(-1); }, "positions[1]"},
       {"all at once",
        [](R& r) {
          r.Clear();
          r.add_positions(3);
        },
        "request_id expected_model_fingerprint harmful harmless positions[0]"}});
}

TEST(ValidateTest, Generate) {
  using R = v1::GenerateRequest;
  const auto decoding = [](const std::function<void(v1::Decoding*)>& change) {
    return [change](R& r) { change(r.mutable_decoding()); };
  };
  using D = v1::Decoding;
  const double nan = std::nan("");
  TryAll<R>(
      GenerateRequestOf("a"),
      {{"no id", [](R& r) { r.clear_request_id(); }, "request_id"},
       {"no model", [](R& r) { r.clear_expected_model_fingerprint(); },
        "expected_model_fingerprint"},
       {"no prompt", [](R& r) { r.clear_prompt(); }, "prompt.user"},
       {"no decoding", [](R& r) { r.clear_decoding(); }, "decoding.max_new_tokens"},
       {"window", decoding([](D* d) { d->set_max_new_tokens(65); }), "decoding.max_new_tokens"},
       {"window -1", decoding([](D* d) { d->set_max_new_tokens(-1); }), "decoding.max_new_tokens"},
       {"whole window", decoding([](D* d) { d->set_max_new_tokens(64); }), ""},
       {"penalty 1", decoding([](D* d) { d->set_repetition_penalty(1); }), ""},
       {"penalty 2", decoding([](D* d) { d->set_repetition_penalty(2); }), ""},
       {"penalty 0.5", decoding([](D* d) { d->set_repetition_penalty(0.5); }),
        "decoding.repetition_penalty"},
       {"penalty 2.1", decoding([](D* d) { d->set_repetition_penalty(2.1); }),
        "decoding.repetition_penalty"},
       {"penalty nan", decoding([nan](D* d) { d->set_repetition_penalty(nan); }),
        "decoding.repetition_penalty"},
       {"temperature", decoding([](D* d) { d->set_temperature(10); }), ""},
       {"cold", decoding([](D* d) { d->set_temperature(0.009); }), "decoding.temperature"},
       {"hot", decoding([](D* d) { d->set_temperature(10.5); }), "decoding.temperature"},
       {"temperature nan", decoding([nan](D* d) { d->set_temperature(nan); }),
        "decoding.temperature"},
       {"top_p alone", decoding([](D* d) { d->set_top_p(0.9); }), "decoding.top_p"},
       {"top_p", decoding([](D* d) { d->set_temperature(1), d->set_top_p(0.9); }), ""},
       {"top_p 1.5", decoding([](D* d) { d->set_temperature(1), d->set_top_p(1.5); }),
        "decoding.top_p"},
       {"top_p nan", decoding([nan](D* d) { d->set_temperature(1), d->set_top_p(nan); }),
        "decoding.top_p"},
       {"seed", decoding([](D* d) { d->set_seed(3); }), ""}});
}

TEST(ValidateTest, Evaluate) {
  using R = v1::EvaluateRequest;
  const auto held = [](R& r, int arm, int prompt) {
    v1::HeldRow* row = r.add_held();
    row->set_arm(arm);
    row->set_prompt(prompt);
  };
  const auto arm = [](R& r, const std::string& name) {
    v1::Arm* a = r.add_arms();
    a->set_name(name);
    a->add_prompts(0);
  };
  TryAll<R>(
      EvaluateRequestOf(3),
      {{"no id", [](R& r) { r.clear_request_id(); }, "request_id"},
       {"no model", [](R& r) { r.clear_expected_model_fingerprint(); },
        "expected_model_fingerprint"},
       {"no purpose", [](R& r) { r.clear_purpose(); }, "purpose"},
       {"unknown purpose", [](R& r) { r.set_purpose(static_cast<v1::Purpose>(9)); }, "purpose"},
       {"no prompts", [](R& r) { r.clear_prompts(); },
        "prompts arms[0].prompts[0] arms[0].prompts[1] arms[0].prompts[2]"},
       {"no arms", [](R& r) { r.clear_arms(); }, "arms"},
       {"many arms",
        [&](R& r) {
          for (int i = 0; i < 4; ++i) arm(r, absl::StrCat("a", i));
        },
        "arms"},
       {"as many arms as allowed",
        [&](R& r) {
          for (int i = 0; i < 3; ++i) arm(r, absl::StrCat("a", i));
        },
        ""},
       {"as many rows as allowed",
        [](R& r) {
          while (r.prompts_size() < 8) r.add_prompts()->set_user(absl::StrCat(r.prompts_size()));
          r.clear_arms();
          for (int a = 0; a < 2; ++a) {
            r.add_arms()->set_name(absl::StrCat("a", a));
            for (int p = 0; p < 8; ++p) r.mutable_arms(a)->add_prompts(p);
          }
        },
        ""},
       {"too many rows",
        [](R& r) {
          while (r.prompts_size() < 8) r.add_prompts()->set_user(absl::StrCat(r.prompts_size()));
          r.clear_arms();
          for (int a = 0; a < 3; ++a) {
            r.add_arms()->set_name(absl::StrCat("a", a));
            for (int p = 0; p < (a < 2 ? 8 : 1); ++p) r.mutable_arms(a)->add_prompts(p);
          }
        },
        "arms"},
       {"no name", [](R& r) { r.mutable_arms(0)->clear_name(); }, "arms[0].name"},
       {"bad name", [](R& r) { r.mutable_arms(0)->set_name("a b"); }, "arms[0].name"},
       {"long name", [](R& r) { r.mutable_arms(0)->set_name(std::string(129, 'a')); },
        "arms[0].name"},
       {"all characters",
        [](R& r) { r.mutable_arms(0)->set_name("Az09._/-" + std::string(120, 'a')); }, ""},
       {"name twice", [&](R& r) { arm(r, "baseline"); }, "arms[1].name"},
       {"no rows", [](R& r) { r.mutable_arms(0)->clear_prompts(); }, "arms[0].prompts"},
       {"index beyond", [](R& r) { r.mutable_arms(0)->add_prompts(3); }, "arms[0].prompts[3]"},
       {"index -1", [](R& r) { r.mutable_arms(0)->set_prompts(0, -1); }, "arms[0].prompts[0]"},
       {"index twice", [](R& r) { r.mutable_arms(0)->set_prompts(1, 0); }, "arms[0].prompts[1]"},
       {"temperature", [](R& r) { r.mutable_decoding()->set_temperature(1); },
        "decoding.temperature"},
       {"top_p", [](R& r) { r.mutable_decoding()->set_top_p(0.5); }, "decoding.top_p"},
       {"seed", [](R& r) { r.mutable_decoding()->set_seed(5); }, "decoding.seed"},
       {"window", [](R& r) { r.mutable_decoding()->set_max_new_tokens(0); },
        "decoding.max_new_tokens"},
       {"readout", [](R& r) { r.set_readout("post-2"); }, "readout"},
       {"other readout", [](R& r) { r.set_readout("opening-1"); }, ""},
       {"ids", [](R& r) { r.add_refusal_token_ids(0), r.add_refusal_token_ids(259); }, ""},
       {"id beyond", [](R& r) { r.add_refusal_token_ids(260); }, "refusal_token_ids[0]"},
       {"id -1", [](R& r) { r.add_refusal_token_ids(-1); }, "refusal_token_ids[0]"},
       {"id twice", [](R& r) { r.add_refusal_token_ids(4), r.add_refusal_token_ids(4); },
        "refusal_token_ids[1]"},
       {"all ids",
        [](R& r) {
          for (int i = 0; i < 260; ++i) r.add_refusal_token_ids(i);
        },
        "refusal_token_ids"},
       {"all ids but one",
        [](R& r) {
          for (int i = 0; i < 259; ++i) r.add_refusal_token_ids(i);
        },
        ""},
       {"held", [&](R& r) { held(r, 0, 2); }, ""},
       {"held beyond", [&](R& r) { held(r, 0, 3); }, "held[0]"},
       {"held of no arm", [&](R& r) { held(r, 1, 0); }, "held[0]"},
       {"held twice", [&](R& r) { held(r, 0, 1), held(r, 0, 1); }, "held[1]"},
       {"plan", [](R& r) { r.set_plan_digest(std::string(64, 'a')); }, ""},
       {"plan not hex", [](R& r) { r.set_plan_digest(std::string(64, 'x')); }, "plan_digest"},
       {"intervention", [](R& r) { r.mutable_arms(0)->mutable_intervention()->add_ops(); },
        "arms[0].intervention.ops[0]"},
       {"all at once", [](R& r) { r.Clear(); },
        "request_id expected_model_fingerprint purpose prompts arms decoding.max_new_tokens "
        "readout"}});
}

TEST(ValidateTest, Directions) {
  v1::GetDirectionRequest get;
  get.set_set_id(std::string(64, 'a'));
  using G = v1::GetDirectionRequest;
  const auto ref = [](G& r) {
    r.mutable_direction()->set_position(-1);
    return r.mutable_direction();
  };
  TryAll<G>(get, {{"no id", [](G& r) { r.clear_set_id(); }, "set_id"},
                  {"path", [](G& r) { r.set_set_id("../../etc/passwd"); }, "set_id"},
                  {"upper case", [](G& r) { r.set_set_id(std::string(64, 'A')); }, "set_id"},
                  {"direction without its id", [&](G& r) { ref(r); }, ""},
                  {"the same id", [&](G& r) { ref(r)->set_set_id(r.set_id()); }, ""},
                  {"another id", [&](G& r) { ref(r)->set_set_id(std::string(64, 'b')); },
                   "direction.set_id"},
                  {"layer", [&](G& r) { ref(r)->set_layer(2); }, "direction.layer"}});
  v1::ExportDirectionRequest exported;
  exported.set_set_id("x");
  ViolationList found;
  Validate(exported, kBounds, &found);
  Validate(v1::DeleteDirectionRequest(), &found);
  v1::ListDirectionsRequest list;
  list.set_page_size(1001);
  Validate(list, &found);
  list.set_page_size(-1);
  Validate(list, &found);
  EXPECT_EQ(Fields(found), "set_id set_id page_size page_size");
  ViolationList none;
  list.set_page_size(1000);
  Validate(list, &none);
  EXPECT_TRUE(none.empty());
}

}  // namespace
}  // namespace steer
