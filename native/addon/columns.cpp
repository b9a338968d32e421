#include "margins/columns.hpp"

#include "addon/common/convert.hpp"
#include "addon/common/handle.hpp"
#include "addon/common/job.hpp"
#include "addon/common/margin_handle.hpp"
#include "addon/common/register.hpp"
#include "core/threads/thread_pool.hpp"
#include "margins/sorted_column.hpp"

namespace sklar::addon {
namespace {

using Columns = std::vector<std::vector<double>>;

constexpr napi_type_tag map_tag = {0x71c9e04b6fd2385e, 0xa8064de3b95f1c27};
constexpr napi_type_tag ranks_tag = {0x5b81d2f04a96ce37, 0x29e7603cf5ad1b84};

SharedMap to_map(const Napi::Value& value) {
  return from_external<ColumnMap>(value, map_tag, "marginColumn or rankColumn");
}

SharedRanks to_ranks(const Napi::Value& value) {
  return from_external<ColumnRanks>(value, ranks_tag, "sortColumns");
}

Columns to_columns(const Napi::Value& value) {
  return to_list(value, "x", [](const Napi::Value& column) { return to_vector<double>(column, "a column"); });
}

ColumnScale to_scale(const Napi::Value& gaussian) {
  return to_bool(gaussian, "gaussian") ? ColumnScale::gaussian : ColumnScale::copula;
}

std::size_t rows_of(const Columns& x) { return x.empty() ? 0 : x[0].size(); }

Napi::Value margin_column(const Napi::CallbackInfo& info) {
  return to_external<ColumnMap>(
      info.Env(),
      make_margin_map(to_margin(info[0]), to_double(info[1], "rows"), to_bool(info[2], "integer")), map_tag);
}

Napi::Value rank_column(const Napi::CallbackInfo& info) {
  const auto o = info[0].As<Napi::Object>();
  RankBlocks blocks{
      to_vector<double>(field(o, "values"), "values"), to_vector<double>(field(o, "first"), "first"),
      to_vector<double>(field(o, "last"), "last"),     to_double(field(o, "rows"), "rows"),
      to_bool(field(o, "integer"), "integer"),         to_bool(field(o, "thinned"), "thinned"),
      to_bool(field(o, "weighted"), "weighted")};
  return to_external<ColumnMap>(info.Env(), make_rank_map(std::move(blocks)), map_tag);
}

Napi::Value levels(const Napi::CallbackInfo& info) {
  return start_job(
      info, [maps = to_list(info[0], "columns", to_map), keys = to_vector<std::uint32_t>(info[1], "keys"),
             x = to_columns(info[2]), first = to_size(info[3], "firstRow"),
             random = to_bool(info[4], "random"), seed = to_uint64(info[5], "seed"),
             scale = to_scale(info[6]), threads = to_size(info[7], "threads")](const CancelFlag& cancel) {
        return column_levels(threads, maps, keys, x, rows_of(x), first, random, seed, scale, cancel);
      });
}

Napi::Value values(const Napi::CallbackInfo& info) {
  return start_job(info,
                   [maps = to_list(info[0], "columns", to_map), levels = to_vector<double>(info[1], "levels"),
                    rows = to_size(info[2], "rows"), scale = to_scale(info[3]),
                    threads = to_size(info[4], "threads")](const CancelFlag& cancel) {
                     return [x = column_values(threads, maps, levels, rows, scale, cancel)](Napi::Env env) {
                       return to_array(env, x, [env](const auto& column) { return to_array(env, column); });
                     };
                   });
}

Napi::Value cells(const Napi::CallbackInfo& info) {
  return start_job(info, [maps = to_list(info[0], "columns", to_map), x = to_columns(info[1]),
                          threads = to_size(info[2], "threads")](const CancelFlag& cancel) {
    auto cells = column_cells(threads, maps, x, rows_of(x), cancel);
    return deliver("lower", std::move(cells.lower), "upper", std::move(cells.upper));
  });
}

Napi::Value log_pdf(const Napi::CallbackInfo& info) {
  return start_job(info, [margins = to_list(info[0], "margins", to_margin), x = to_columns(info[1]),
                          atoms = to_bool(info[2], "atoms"),
                          threads = to_size(info[3], "threads")](const CancelFlag& cancel) {
    return column_log_pdf(threads, margins, x, rows_of(x), atoms, cancel);
  });
}

Napi::Value ranks_fields(Napi::Env env, const SharedRanks& ranks) {
  if (!ranks) return env.Null();
  return to_object(env, "handle", to_external<ColumnRanks>(env, ranks, ranks_tag), "hash",
                   Napi::BigInt::New(env, ranks->hash), "reversedHash",
                   Napi::BigInt::New(env, ranks->reversed_hash), "valuesHash",
                   Napi::BigInt::New(env, ranks->values_hash));
}

Napi::Value fields_of(Napi::Env env, const SortedColumn& column) {
  return to_object(env, "sorted", column.sorted, "weights",
                   column.weights.empty() ? env.Null() : to_array(env, column.weights), "ranks",
                   ranks_fields(env, column.ranks));
}

Napi::Value sort(const Napi::CallbackInfo& info) {
  // shared, so that each column is sorted in its own memory
  const auto x = std::make_shared<Columns>(to_columns(info[0]));
  std::vector<RankOptions> ranks;
  if (!info[1].IsNull()) {
    const auto o = info[1].As<Napi::Object>();
    const bool random = to_bool(field(o, "random"), "random");
    const std::uint64_t seed = to_uint64(field(o, "seed"), "seed");
    for (const std::uint32_t key : to_vector<std::uint32_t>(field(o, "keys"), "keys", x->size()))
      ranks.push_back({random, seed, key});
  }
  return start_job(info,
                   [x, ranks = std::move(ranks), weights = to_vector_or_empty<double>(info[3], "weights"),
                    threads = to_size(info[2], "threads")](const CancelFlag& cancel) -> Job::Deliver {
                     std::vector<SortedColumn> sorted(x->size());
                     ThreadPool pool(threads);
                     pool.run(x->size(), [&](std::size_t j, std::size_t) {
                       sorted[j] = sort_column(std::move((*x)[j]), weights.empty() ? nullptr : &weights,
                                               ranks.empty() ? nullptr : &ranks[j], cancel);
                     });
                     return [sorted = std::move(sorted)](Napi::Env env) {
                       return to_array(env, sorted,
                                       [env](const SortedColumn& column) { return fields_of(env, column); });
                     };
                   });
}

Napi::Value sort_values(const Napi::CallbackInfo& info) {
  const auto weights = to_vector_or_empty<double>(info[1], "weights");
  return fields_of(info.Env(), sort_column(to_vector<double>(info[0], "values"),
                                           weights.empty() ? nullptr : &weights, nullptr, CancelFlag()));
}

Napi::Value relation(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), monotone_relation(*to_ranks(info[0]), *to_ranks(info[1])));
}

Napi::Value write_levels(const Napi::CallbackInfo& info) {
  return start_job(info,
                   [columns = to_list(info[0], "columns", to_ranks), u = to_span<double>(info[1], "u"),
                    threads = to_size(info[2], "threads")](const CancelFlag& cancel) -> Job::Deliver {
                     rank_levels(threads, columns, u, cancel);
                     return [](Napi::Env env) { return env.Undefined(); };
                   });
}

Napi::Value release_ranks(const Napi::CallbackInfo& info) {
  from_external<ColumnRanks>(info[0], ranks_tag, "sortColumns").reset();
  return info.Env().Undefined();
}

// Frees the memory of an array, which has no elements any more.
Napi::Value release_array(const Napi::CallbackInfo& info) {
  if (!info[0].IsTypedArray()) throw Error("VALUE", "expected a typed array to release");
  Napi::ArrayBuffer buffer = info[0].As<Napi::TypedArray>().ArrayBuffer();
  if (!buffer.IsDetached()) buffer.Detach();
  return info.Env().Undefined();
}

}  // namespace

void register_columns(Napi::Env env, Napi::Object exports) {
  export_function<margin_column>(env, exports, "marginColumn");
  export_function<rank_column>(env, exports, "rankColumn");
  export_function<levels>(env, exports, "columnLevels");
  export_function<values>(env, exports, "columnValues");
  export_function<cells>(env, exports, "columnCells");
  export_function<log_pdf>(env, exports, "columnLogPdf");
  export_function<sort>(env, exports, "sortColumns");
  export_function<sort_values>(env, exports, "sortValues");
  export_function<relation>(env, exports, "ranksRelation");
  export_function<write_levels>(env, exports, "ranksLevels");
  export_function<release_ranks>(env, exports, "ranksRelease");
  export_function<release_array>(env, exports, "releaseArray");
}

}  // namespace sklar::addon
