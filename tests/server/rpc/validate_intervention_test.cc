#include <cmath>
#include <functional>
#include <limits>

#include "gtest/gtest.h"
#include "server/rpc/validate.h"
#include "tests/server/rpc/service_fixture.h"

namespace steer {
namespace {

const std::string kSet(64, 'a');

std::string FieldsFor(const v1::Intervention& intervention) {
  RequestBounds bounds;
  bounds.layers = 2;
  ViolationList found;
  ValidateIntervention(intervention, bounds, "iv", &found);
  std::string fields;
  for (const Violation& v : found.violations()) {
    absl::StrAppend(&fields, fields.empty() ? "" : " ", v.field);
  }
  return fields;
}

struct Case {
  const char* what;
  std::function<void(v1::Intervention&)> change;
  const char* fields;
};

void TryAll(const v1::Intervention& good, const std::vector<Case>& cases) {
  EXPECT_EQ(FieldsFor(good), "");
  for (const Case& c : cases) {
    v1::Intervention intervention = good;
    c.change(intervention);
    EXPECT_EQ(FieldsFor(intervention), c.fields) << c.what;
  }
}

using I = v1::Intervention;
v1::Op* First(I& i) { return i.mutable_ops(0); }

TEST(ValidateInterventionTest, Ablate) {
  const auto fraction = [](double value) {
    return [value](I& i) { First(i)->mutable_ablate()->set_fraction(value); };
  };
  TryAll(AblateWith(kSet),
         {{"no ops", [](I& i) { i.clear_ops(); }, ""},
          {"17 ops",
           [](I& i) {
             for (int n = 0; n < 16; ++n) *i.add_ops() = i.ops(0);
           },
           "iv.ops"},
          {"16 ops",
           [](I& i) {
             for (int n = 0; n < 15; ++n) *i.add_ops() = i.ops(0);
           },
           ""},
          {"no action", [](I& i) { First(i)->clear_action(); }, "iv.ops[0]"},
          {"no direction", [](I& i) { First(i)->mutable_ablate()->clear_directions(); },
           "iv.ops[0].ablate.directions"},
          {"9 directions",
           [](I& i) {
             for (int n = 0; n < 8; ++n) {
               *First(i)->mutable_ablate()->add_directions() = i.ops(0).ablate().directions(0);
             }
           },
           "iv.ops[0].ablate.directions"},
          {"fraction 2", fraction(2), ""},
          {"fraction 0 is 1", fraction(0), ""},
          {"fraction 2.5", fraction(2.5), "iv.ops[0].ablate.fraction"},
          {"fraction -1", fraction(-1), "iv.ops[0].ablate.fraction"},
          {"fraction nan", fraction(std::nan("")), "iv.ops[0].ablate.fraction"},
          {"bad direction",
           [](I& i) { First(i)->mutable_ablate()->mutable_directions(0)->set_set_id("x"); },
           "iv.ops[0].ablate.directions[0].set_id"}});
}

TEST(ValidateInterventionTest, AddAndSetProjection) {
  const auto coefficient = [](double value) {
    return [value](I& i) { First(i)->mutable_add()->set_coefficient(value); };
  };
  const double infinity = std::numeric_limits<double>::infinity();
  const auto project = [](double value, bool direction) {
    return [=](I& i) {
      const v1::DirectionRef ref = i.ops(0).add().direction();
      v1::SetProjection* p = First(i)->mutable_set_projection();
      p->set_value(value);
      if (direction) *p->mutable_direction() = ref;
    };
  };
  TryAll(AddWith(kSet),
         {{"0", coefficient(0), "iv.ops[0].add.coefficient"},
          {"-1000", coefficient(-1000), ""},
          {"1000.5", coefficient(1000.5), "iv.ops[0].add.coefficient"},
          {"nan", coefficient(std::nan("")), "iv.ops[0].add.coefficient"},
          {"infinite", coefficient(-infinity), "iv.ops[0].add.coefficient"},
          {"no direction", [](I& i) { First(i)->mutable_add()->clear_direction(); },
           "iv.ops[0].add.direction"},
          {"projection", project(-3, true), ""},
          {"projection 0", project(0, true), ""},
          {"projection nan", project(std::nan(""), true), "iv.ops[0].set_projection.value"},
          {"projection infinite", project(infinity, true), "iv.ops[0].set_projection.value"},
          {"projection of nothing", project(1, false), "iv.ops[0].set_projection.direction"}});
}

TEST(ValidateInterventionTest, DirectionRef) {
  const auto ref = [](const std::function<void(v1::DirectionRef*)>& change) {
    return [change](I& i) { change(First(i)->mutable_add()->mutable_direction()); };
  };
  using R = v1::DirectionRef;
  TryAll(
      AddWith(kSet, true),
      {{"position 0", ref([](R* r) { r->set_position(0); }), "iv.ops[0].add.direction.position"},
       {"position -7 may exist", ref([](R* r) { r->set_position(-7); }), ""},
       {"layer -1", ref([](R* r) { r->set_layer(-1); }), "iv.ops[0].add.direction.layer"},
       {"layer 2", ref([](R* r) { r->set_layer(2); }), "iv.ops[0].add.direction.layer"},
       {"component", ref([](R* r) { r->set_component(1); }), "iv.ops[0].add.direction.component"},
       {"no family", ref([](R* r) { r->mutable_control()->clear_family(); }),
        "iv.ops[0].add.direction.control.family"},
       {"unknown family",
        ref([](R* r) { r->mutable_control()->set_family(static_cast<v1::ControlFamily>(9)); }),
        "iv.ops[0].add.direction.control.family"},
       {"largest draw", ref([](R* r) { r->mutable_control()->set_draw(2147483647u); }), ""},
       {"draw", ref([](R* r) { r->mutable_control()->set_draw(2147483648u); }),
        "iv.ops[0].add.direction.control.draw"}});
}

TEST(ValidateInterventionTest, SitesTargetsAndTokens) {
  const auto sites = [](const std::function<void(v1::Sites*)>& change) {
    return [change](I& i) { change(First(i)->mutable_sites()); };
  };
  using S = v1::Sites;
  TryAll(AblateWith(kSet),
         {{"all", sites([](S* s) { s->set_all(true); }), ""},
          {"none", sites([](S*) {}), "iv.ops[0].sites"},
          {"two ways", sites([](S* s) { s->set_all(true), s->add_sites(1); }), "iv.ops[0].sites"},
          {"two other ways", sites([](S* s) { s->add_layer_inputs(1), s->add_sites(1); }),
           "iv.ops[0].sites"},
          {"last site", sites([](S* s) { s->add_sites(0), s->add_sites(4); }), ""},
          {"site beyond", sites([](S* s) { s->add_sites(5); }), "iv.ops[0].sites.sites[0]"},
          {"site -1", sites([](S* s) { s->add_sites(-1); }), "iv.ops[0].sites.sites[0]"},
          {"site twice", sites([](S* s) { s->add_sites(1), s->add_sites(1); }),
           "iv.ops[0].sites.sites[1]"},
          {"layers", sites([](S* s) { s->add_layer_inputs(0), s->add_layer_inputs(1); }), ""},
          {"layer beyond", sites([](S* s) { s->add_layer_inputs(2); }),
           "iv.ops[0].sites.layer_inputs[0]"},
          {"layers descending", sites([](S* s) { s->add_layer_inputs(1), s->add_layer_inputs(0); }),
           "iv.ops[0].sites.layer_inputs[1]"},
          {"target", [](I& i) { First(i)->set_target(v1::EDIT_TARGET_WRITE); }, ""},
          {"unknown target", [](I& i) { First(i)->set_target(static_cast<v1::EditTarget>(7)); },
           "iv.ops[0].target"},
          {"unknown tokens", [](I& i) { First(i)->set_tokens(static_cast<v1::TokenScope>(7)); },
           "iv.ops[0].tokens"},
          {"last without scope", [](I& i) { First(i)->set_last_prompt_tokens(1); },
           "iv.ops[0].last_prompt_tokens"},
          {"scope without last",
           [](I& i) { First(i)->set_tokens(v1::TOKEN_SCOPE_LAST_PROMPT_AND_GENERATED); },
           "iv.ops[0].last_prompt_tokens"},
          {"scope with last",
           [](I& i) {
             First(i)->set_tokens(v1::TOKEN_SCOPE_LAST_PROMPT_AND_GENERATED);
             First(i)->set_last_prompt_tokens(3);
           },
           ""}});
}

// Only so many are looked at: an answer stays shorter than its request.
TEST(ValidateInterventionTest, OfTooManyDirectionsTheFirstAreLookedAt) {
  v1::Intervention intervention;
  v1::Ablate* ablate = intervention.add_ops()->mutable_ablate();
  for (int i = 0; i < 20; ++i) {
    v1::DirectionRef* ref = ablate->add_directions();
    ref->set_set_id(kSet);
    ref->set_position(1);
    ref->set_layer(1);
  }
  std::string fields = "iv.ops[0].ablate.directions";
  for (int i = 0; i <= kMaxAblatedDirections; ++i) {
    absl::StrAppend(&fields, " iv.ops[0].ablate.directions[", i, "].position");
  }
  EXPECT_EQ(FieldsFor(intervention), fields);
}

}  // namespace
}  // namespace steer
