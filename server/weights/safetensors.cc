#include "server/weights/safetensors.h"

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/errors.h"
#include "common/json.h"
#include "common/status_macros.h"
#include "server/weights/checkpoint_mistakes.h"
#include "server/weights/tensor_type.h"

namespace steer {
namespace {

constexpr size_t kLengthBytes = 8;
constexpr uint64_t kMaxHeaderBytes = 100'000'000;
constexpr absl::string_view kMetadataKey = "__metadata__";

// A tensor's bytes, as offsets into the data that follow the header.
struct Extent {
  uint64_t begin;
  uint64_t end;
  absl::string_view name;
};

uint64_t LittleEndian64(absl::string_view bytes) {
  uint64_t value = 0;
  for (size_t i = kLengthBytes; i-- > 0;) value = value << 8 | static_cast<unsigned char>(bytes[i]);
  return value;
}

absl::Status Bad(absl::string_view name, absl::string_view rule) {
  return absl::InvalidArgumentError(absl::StrCat("tensor \"", name.substr(0, 80), "\": ", rule));
}

// Splits a file into header text and data.
absl::Status SplitHeader(absl::string_view bytes, absl::string_view* header,
                         absl::string_view* data) {
  if (bytes.empty()) return absl::InvalidArgumentError("is an empty file");
  if (bytes.size() < kLengthBytes) {
    return absl::InvalidArgumentError(
        absl::StrCat("has ", bytes.size(), " bytes, fewer than the 8 of a header length"));
  }
  const uint64_t length = LittleEndian64(bytes);
  if (length > kMaxHeaderBytes) {
    return absl::InvalidArgumentError(absl::StrCat("header length ", length,
                                                   " is over the limit of ", kMaxHeaderBytes,
                                                   ": it is damaged, or no safetensors file"));
  }
  if (length > bytes.size() - kLengthBytes) {
    return absl::InvalidArgumentError(
        absl::StrCat("header length ", length, " runs past the end of the file of ", bytes.size(),
                     " bytes: it is cut short, or no safetensors file"));
  }
  *header = bytes.substr(kLengthBytes, length);
  *data = bytes.substr(kLengthBytes + length);
  if (header->empty() || header->front() != '{') {
    return absl::InvalidArgumentError("the header does not start with '{'");
  }
  return absl::OkStatus();
}

absl::StatusOr<std::map<std::string, std::string>> ParseMetadata(const Json& value) {
  if (!value.is_object()) return absl::InvalidArgumentError("\"__metadata__\" is not an object");
  std::map<std::string, std::string> metadata;
  for (const auto& [key, entry] : value.items()) {
    if (!entry.is_string()) {
      return absl::InvalidArgumentError(absl::StrCat("\"__metadata__\": the value of \"",
                                                     key.substr(0, 80), "\" is not a string"));
    }
    metadata[key] = entry.get<std::string>();
  }
  return metadata;
}

absl::StatusOr<uint64_t> Unsigned(const Json& value, absl::string_view name,
                                  absl::string_view what) {
  if (!value.is_number_unsigned() || value.get<uint64_t>() > uint64_t{INT64_MAX}) {
    return Bad(name, absl::StrCat(what, " holds a value that is not an integer in [0, 2^63)"));
  }
  return value.get<uint64_t>();
}

absl::Status CheckFields(const std::string& name, const Json& info) {
  if (name.size() > kMaxTensorNameBytes) {
    return Bad(name, absl::StrCat("its name is longer than ", kMaxTensorNameBytes, " bytes"));
  }
  if (!info.is_object()) return Bad(name, "its entry is not an object");
  for (const char* key : {"dtype", "shape", "data_offsets"}) {
    if (!info.contains(key)) return Bad(name, absl::StrCat("\"", key, "\" is missing"));
  }
  if (info.size() != 3)
    return Bad(name, "its entry has keys besides dtype, shape and data_offsets");
  if (!info["dtype"].is_string()) return Bad(name, "\"dtype\" is not a string");
  if (!info["shape"].is_array()) return Bad(name, "\"shape\" is not an array");
  if (!info["data_offsets"].is_array() || info["data_offsets"].size() != 2) {
    return Bad(name, "\"data_offsets\" is not an array of two integers");
  }
  if (info["shape"].size() > kMaxTensorRank) {
    return Bad(name, absl::StrCat("rank ", info["shape"].size(), " is over the limit of ",
                                  kMaxTensorRank));
  }
  return absl::OkStatus();
}

// Reads one entry of the header; its extent is checked against the data and its own type and shape.
absl::StatusOr<TensorView> ParseTensor(const std::string& name, const Json& info,
                                       absl::string_view data, Extent* extent) {
  STEER_RETURN_IF_ERROR(CheckFields(name, info));
  const std::string type_name = info["dtype"].get<std::string>();
  const absl::optional<TensorType> type = TensorTypeFromName(type_name);
  if (!type.has_value()) {
    return Bad(name,
               absl::StrCat("type \"", type_name.substr(0, 40), "\" is not supported",
                            absl::StartsWith(type_name, "F8_") || absl::StartsWith(type_name, "F4")
                                ? " (quantised weights are not built here)"
                                : ""));
  }
  TensorView view{*type, {}, {}};
  for (const Json& dimension : info["shape"]) {
    STEER_ASSIGN_OR_RETURN(uint64_t size, Unsigned(dimension, name, "\"shape\""));
    view.shape.push_back(static_cast<int64_t>(size));
  }
  STEER_ASSIGN_OR_RETURN(extent->begin,
                         Unsigned(info["data_offsets"][0], name, "\"data_offsets\""));
  STEER_ASSIGN_OR_RETURN(extent->end, Unsigned(info["data_offsets"][1], name, "\"data_offsets\""));
  if (extent->begin > extent->end) return Bad(name, "its data ends before it begins");
  if (extent->end > data.size()) {
    return Bad(name, absl::StrCat("its data ends at ", extent->end, ", past the end of the ",
                                  data.size(), " data bytes: the file is cut short"));
  }
  const absl::optional<int64_t> bytes = TensorBytes(view.type, view.shape);
  if (!bytes.has_value()) return Bad(name, "the product of its shape overflows");
  if (static_cast<uint64_t>(*bytes) != extent->end - extent->begin) {
    return Bad(name, absl::StrCat("shape [", absl::StrJoin(view.shape, ", "), "] of ", type_name,
                                  " takes ", *bytes, " bytes but its offsets span ",
                                  extent->end - extent->begin));
  }
  view.bytes = data.substr(extent->begin, extent->end - extent->begin);
  return view;
}

// The format allows no hole, no overlap and no bytes after the last tensor.
absl::Status CheckTiling(std::vector<Extent> extents, uint64_t data_size) {
  std::sort(extents.begin(), extents.end(), [](const Extent& a, const Extent& b) {
    return std::pair(a.begin, a.end) < std::pair(b.begin, b.end);
  });
  uint64_t covered = 0;
  for (const Extent& extent : extents) {
    if (extent.begin != covered) {
      return Bad(extent.name, absl::StrCat("its data begins at ", extent.begin,
                                           extent.begin > covered ? ", leaving a hole after "
                                                                  : ", overlapping data up to ",
                                           covered));
    }
    covered = extent.end;
  }
  if (covered != data_size) {
    return absl::InvalidArgumentError(absl::StrCat("the tensors cover ", covered, " of ", data_size,
                                                   " data bytes; the file must end with the last"));
  }
  return absl::OkStatus();
}

absl::Status ParseInto(absl::string_view bytes, std::map<std::string, TensorView>* tensors,
                       std::map<std::string, std::string>* metadata) {
  absl::string_view text, data;
  STEER_RETURN_IF_ERROR(SplitHeader(bytes, &text, &data));
  auto header = ParseJson(text);
  if (!header.ok()) return Annotate(header.status(), "header");
  if (header->size() > kMaxTensors + 1) {
    return absl::InvalidArgumentError(absl::StrCat("names more than ", kMaxTensors, " tensors"));
  }
  std::vector<Extent> extents;
  for (const auto& [name, info] : header->items()) {
    if (name == kMetadataKey) {
      STEER_ASSIGN_OR_RETURN(*metadata, ParseMetadata(info));
      continue;
    }
    Extent extent{};
    STEER_ASSIGN_OR_RETURN(TensorView view, ParseTensor(name, info, data, &extent));
    auto inserted = tensors->emplace(name, std::move(view)).first;
    extent.name = inserted->first;
    extents.push_back(extent);
  }
  if (tensors->size() > kMaxTensors) {
    return absl::InvalidArgumentError(absl::StrCat("names more than ", kMaxTensors, " tensors"));
  }
  return CheckTiling(std::move(extents), data.size());
}

}  // namespace

absl::StatusOr<std::shared_ptr<const SafetensorsFile>> SafetensorsFile::FromBytes(
    absl::string_view bytes, absl::string_view name) {
  std::shared_ptr<SafetensorsFile> file(new SafetensorsFile());
  absl::Status status = ParseInto(bytes, &file->tensors_, &file->metadata_);
  if (!status.ok()) return Annotate(status, name);
  return file;
}

absl::StatusOr<std::shared_ptr<const SafetensorsFile>> SafetensorsFile::Open(
    const std::string& path) {
  std::shared_ptr<SafetensorsFile> file(new SafetensorsFile());
  STEER_ASSIGN_OR_RETURN(file->file_, MappedFile::Open(path));
  file->path_ = path;
  STEER_RETURN_IF_ERROR(CheckNotLfsPointer(path, file->file_->bytes()));
  absl::Status status = ParseInto(file->file_->bytes(), &file->tensors_, &file->metadata_);
  if (!status.ok()) return Annotate(status, path);
  return file;
}

}  // namespace steer
