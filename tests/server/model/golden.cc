#include "tests/server/model/golden.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/abs.h>
#include <ATen/ops/amax.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/index_select.h>
#include <ATen/ops/max.h>
#include <c10/core/InferenceMode.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <fstream>

#include "absl/strings/str_cat.h"
#include "common/files.h"
#include "tests/support/tiny_model.h"

namespace steer {
namespace {

at::Tensor ToTensor(const TensorView& view) {
  const std::vector<float> values = ToFloat32(view).value();
  at::Tensor tensor = at::empty(view.shape, at::kFloat);
  std::copy(values.begin(), values.end(), tensor.data_ptr<float>());
  return tensor;
}

}  // namespace

Golden::Golden(const std::string& model) : model_(model) {
  file_ = SafetensorsFile::Open(TinyCheckpoint(model) + "/expected.safetensors").value();
}

std::string Golden::Describe() const {
  return absl::StrCat("checkpoint ", model_, ": ", file_->metadata().at("shape"), ", seed ",
                      file_->metadata().at("seed"));
}

bool Golden::Has(const std::string& name, int prompt) const {
  return file_->tensors().count(absl::StrCat(name, ".", prompt)) > 0;
}

std::vector<int32_t> Golden::Ids(const std::string& name, int prompt) const {
  const TensorView& view = file_->tensors().at(absl::StrCat(name, ".", prompt));
  std::vector<int32_t> ids(static_cast<size_t>(view.elements()));
  std::memcpy(ids.data(), view.bytes.data(), view.bytes.size());
  return ids;
}

at::Tensor Golden::Floats(const std::string& name, int prompt) const {
  return ToTensor(file_->tensors().at(absl::StrCat(name, ".", prompt)));
}

at::Tensor Golden::Probe() const { return ToTensor(file_->tensors().at("probe")); }

at::Tensor Golden::AtPositions(const at::Tensor& x, int prompt) const {
  const std::vector<int32_t> positions = Ids("positions", prompt);
  at::Tensor index = at::empty({static_cast<int64_t>(positions.size())}, at::kInt);
  std::copy(positions.begin(), positions.end(), index.data_ptr<int32_t>());
  return at::index_select(x, 0, index);
}

EditableCheckpoint::EditableCheckpoint(const std::string& model) {
  std::shared_ptr<const Checkpoint> source = OpenTiny(model);
  config = source->config();
  for (const auto& [name, view] : source->tensors()) {
    const std::vector<float> values = ToFloat32(view).value();
    bytes[name].assign(reinterpret_cast<const char*>(values.data()), values.size() * 4);
    tensors[name] = {TensorType::kFloat32, view.shape, bytes[name]};
  }
}

float* EditableCheckpoint::Floats(const std::string& name) {
  return reinterpret_cast<float*>(bytes.at(name).data());
}

void EditableCheckpoint::Put(const std::string& name, const std::vector<int64_t>& shape) {
  TensorView view{TensorType::kFloat32, shape, {}};
  bytes[name] = std::string(static_cast<size_t>(view.elements()) * 4, '\0');
  view.bytes = bytes[name];
  tensors[name] = view;
}

absl::StatusOr<std::shared_ptr<const Checkpoint>> EditableCheckpoint::Write() const {
  static int counter = 0;
  const std::string folder =
      absl::StrCat(testing::TempDir(), "/steer_model.", getpid(), ".", counter++);
  EXPECT_TRUE(MakeFolders(folder).ok());
  // Not flushed to the disk, since the mutation tests write hundreds of them.
  std::ofstream(folder + "/config.json") << config.dump();
  std::ofstream(folder + "/model.safetensors") << SerializeSafetensors(tensors, {}).value();
  return Checkpoint::Open(folder);
}

std::shared_ptr<const Checkpoint> OpenTiny(const std::string& model) {
  return Checkpoint::Open(TinyCheckpoint(model)).value();
}

std::unique_ptr<Decoder> LoadTiny(const std::string& model, const std::string& dtype,
                                  int64_t kv_tokens) {
  return Decoder::Load(*OpenTiny(model), {"cpu", dtype, kv_tokens}).value();
}

at::Tensor RunRow(Decoder& decoder, const std::vector<int32_t>& ids, int32_t piece,
                  int64_t kv_begin) {
  c10::InferenceMode inference;
  const int32_t n = static_cast<int32_t>(ids.size());
  std::vector<at::Tensor> parts;
  for (int32_t from = 0; from < n; from += piece == 0 ? n : piece) {
    const int32_t count = piece == 0 ? n : std::min(piece, n - from);
    const StepRow row{kv_begin, from, 0, count};
    parts.push_back(decoder.Forward(
        {absl::MakeConstSpan(ids).subspan(static_cast<size_t>(from), static_cast<size_t>(count)),
         absl::MakeConstSpan(&row, 1)},
        nullptr));
  }
  return at::cat(parts);
}

double MaxAbs(const at::Tensor& x) { return at::max(at::abs(x)).item<double>(); }

double LogitTolerance(const at::Tensor& expected) { return 1e-4 * std::max(1.0, MaxAbs(expected)); }

double WorstRelative(const at::Tensor& a, const at::Tensor& b) {
  return at::max(at::amax(at::abs(a - b), -1) / at::amax(at::abs(b), -1)).item<double>();
}

}  // namespace steer
