#include "margins/columns.hpp"

#include "addon/common/convert.hpp"
#include "addon/common/job.hpp"
#include "addon/common/margin_handle.hpp"
#include "addon/common/register.hpp"
#include "core/threads/thread_pool.hpp"
#include "margins/sorted_column.hpp"

namespace sklar::addon {
namespace {

using Columns = std::vector<std::vector<double>>;

constexpr napi_type_tag map_tag = {0x71c9e04b6fd2385e, 0xa8064de3b95f1c27};
constexpr napi_type_tag sorted_tag = {0x0e4db9265c7f83a1, 0xd73ac58e1b60f294};

template <class T>
Napi::Value to_external(Napi::Env env, std::shared_ptr<const T> held, const napi_type_tag& tag) {
  auto external = Napi::External<std::shared_ptr<const T>>::New(
      env, new std::shared_ptr<const T>(std::move(held)),
      [](Napi::Env, std::shared_ptr<const T>* handle) { delete handle; });
  external.TypeTag(&tag);
  return external;
}

template <class T>
std::shared_ptr<const T>& from_external(const Napi::Value& value, const napi_type_tag& tag,
                                        const char* maker) {
  using Held = std::shared_ptr<const T>;
  if (!value.IsExternal() || !value.As<Napi::External<Held>>().CheckTypeTag(&tag))
    throw Error("VALUE", std::string("expected a handle made by ") + maker);
  Held& held = *value.As<Napi::External<Held>>().Data();
  if (!held) throw Error("DISPOSED", "the handle was released");
  return held;
}

SharedMap to_map(const Napi::Value& value) {
  return from_external<ColumnMap>(value, map_tag, "marginColumn or rankColumn");
}

std::shared_ptr<const SortedColumn> to_sorted(const Napi::Value& value) {
  return from_external<SortedColumn>(value, sorted_tag, "sortColumns");
}

Columns to_columns(const Napi::Value& value) {
  return to_list(value, "x", [](const Napi::Value& column) { return to_vector<double>(column, "a column"); });
}

ColumnScale to_scale(const Napi::Value& gaussian) {
  return to_bool(gaussian, "gaussian") ? ColumnScale::gaussian : ColumnScale::copula;
}

std::size_t rows_of(const Columns& x) { return x.empty() ? 0 : x[0].size(); }

Napi::Value to_arrays(Napi::Env env, const Columns& columns) {
  auto list = Napi::Array::New(env, columns.size());
  for (std::size_t j = 0; j < columns.size(); ++j)
    list.Set(static_cast<std::uint32_t>(j), to_array(env, columns[j]));
  return list;
}

// marginColumn(margin: MarginHandle, rows: number, integer: boolean): ColumnHandle
Napi::Value margin_column(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    return to_external<ColumnMap>(
        info.Env(),
        make_margin_map(to_margin(info[0]), to_double(info[1], "rows"), to_bool(info[2], "integer")),
        map_tag);
  });
}

// rankColumn(blocks: {values: Float64Array; first: Float64Array; last: Float64Array; rows: number; integer:
// boolean; thinned: boolean; }): ColumnHandle
Napi::Value rank_column(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    const auto o = info[0].As<Napi::Object>();
    RankBlocks blocks{
        to_vector<double>(field(o, "values"), "values"), to_vector<double>(field(o, "first"), "first"),
        to_vector<double>(field(o, "last"), "last"),     to_double(field(o, "rows"), "rows"),
        to_bool(field(o, "integer"), "integer"),         to_bool(field(o, "thinned"), "thinned")};
    return to_external<ColumnMap>(info.Env(), make_rank_map(std::move(blocks)), map_tag);
  });
}

// columnLevels(columns: readonly ColumnHandle[], keys: Uint32Array, x: readonly Float64Array[], firstRow:
// number, random: boolean, seed: bigint, gaussian: boolean, threads: number): NativeJob<Float64Array>
Napi::Value levels(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    return Job::start(
        info.Env(), info.Env().Undefined(),
        [maps = to_list(info[0], "columns", to_map), keys = to_vector<std::uint32_t>(info[1], "keys"),
         x = to_columns(info[2]), first = to_size(info[3], "firstRow"), random = to_bool(info[4], "random"),
         seed = to_uint64(info[5], "seed"), scale = to_scale(info[6]), threads = to_size(info[7], "threads")](
            const CancelFlag& cancel, const Job::Progress&) -> Job::Deliver {
          auto u = column_levels(threads, maps, keys, x, rows_of(x), first, random, seed, scale, cancel);
          return [u = std::move(u)](Napi::Env env) { return to_array(env, u); };
        });
  });
}

// columnValues(columns: readonly ColumnHandle[], levels: Float64Array, rows: number, gaussian: boolean,
// threads: number): NativeJob<Float64Array[]>
Napi::Value values(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    return Job::start(
        info.Env(), info.Env().Undefined(),
        [maps = to_list(info[0], "columns", to_map), levels = to_vector<double>(info[1], "levels"),
         rows = to_size(info[2], "rows"), scale = to_scale(info[3]), threads = to_size(info[4], "threads")](
            const CancelFlag& cancel, const Job::Progress&) -> Job::Deliver {
          auto x = column_values(threads, maps, levels, rows, scale, cancel);
          return [x = std::move(x)](Napi::Env env) { return to_arrays(env, x); };
        });
  });
}

// columnCells(columns: readonly ColumnHandle[], x: readonly Float64Array[], threads: number):
// NativeJob<{lower: Float64Array; upper: Float64Array }>
Napi::Value cells(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    return Job::start(info.Env(), info.Env().Undefined(),
                      [maps = to_list(info[0], "columns", to_map), x = to_columns(info[1]),
                       threads = to_size(info[2], "threads")](const CancelFlag& cancel,
                                                              const Job::Progress&) -> Job::Deliver {
                        auto cells = column_cells(threads, maps, x, rows_of(x), cancel);
                        return [cells = std::move(cells)](Napi::Env env) -> Napi::Value {
                          Napi::Object result = Napi::Object::New(env);
                          result.Set("lower", to_array(env, cells.lower));
                          result.Set("upper", to_array(env, cells.upper));
                          return result;
                        };
                      });
  });
}

// columnLogPdf(margins: readonly MarginHandle[], x: readonly Float64Array[], atoms: boolean, threads:
// number): NativeJob<Float64Array>
Napi::Value log_pdf(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    return Job::start(info.Env(), info.Env().Undefined(),
                      [margins = to_list(info[0], "margins", to_margin), x = to_columns(info[1]),
                       atoms = to_bool(info[2], "atoms"), threads = to_size(info[3], "threads")](
                          const CancelFlag& cancel, const Job::Progress&) -> Job::Deliver {
                        auto log = column_log_pdf(threads, margins, x, rows_of(x), atoms, cancel);
                        return [log = std::move(log)](Napi::Env env) { return to_array(env, log); };
                      });
  });
}

// sortColumns(x: readonly Float64Array[], ranks: {random: boolean; seed: bigint; keys: Uint32Array } | null,
// threads: number): NativeJob<SortedHandle[]>
Napi::Value sort(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    Columns x = to_columns(info[0]);
    std::vector<RankOptions> ranks;
    if (!info[1].IsNull()) {
      const auto o = info[1].As<Napi::Object>();
      const bool random = to_bool(field(o, "random"), "random");
      const std::uint64_t seed = to_uint64(field(o, "seed"), "seed");
      for (const std::uint32_t key : to_vector<std::uint32_t>(field(o, "keys"), "keys", x.size()))
        ranks.push_back({random, seed, key});
    }
    return Job::start(info.Env(), info.Env().Undefined(),
                      [x = std::move(x), ranks = std::move(ranks), threads = to_size(info[2], "threads")](
                          const CancelFlag& cancel, const Job::Progress&) -> Job::Deliver {
                        std::vector<std::shared_ptr<const SortedColumn>> sorted(x.size());
                        ThreadPool pool(threads);
                        pool.run(x.size(), [&](std::size_t j, std::size_t) {
                          sorted[j] = std::make_shared<SortedColumn>(
                              sort_column(x[j], ranks.empty() ? nullptr : &ranks[j], cancel));
                        });
                        return [sorted = std::move(sorted)](Napi::Env env) -> Napi::Value {
                          auto list = Napi::Array::New(env, sorted.size());
                          for (std::size_t j = 0; j < sorted.size(); ++j)
                            list.Set(static_cast<std::uint32_t>(j),
                                     to_external<SortedColumn>(env, sorted[j], sorted_tag));
                          return list;
                        };
                      });
  });
}

Napi::Object to_object(Napi::Env env, const SortedColumn& column) {
  Napi::Object result = Napi::Object::New(env);
  result.Set("sorted", to_array(env, column.sorted));
  result.Set("values", column.values.empty() ? env.Null() : to_array(env, column.values));
  result.Set("last", column.values.empty() ? env.Null() : to_array(env, column.last));
  result.Set("hash", Napi::BigInt::New(env, column.hash));
  result.Set("reversedHash", Napi::BigInt::New(env, column.reversed_hash));
  return result;
}

// sortedColumn(column: SortedHandle): NativeSortedColumn
Napi::Value sorted_column(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value { return to_object(info.Env(), *to_sorted(info[0])); });
}

// sortValues(values: Float64Array): NativeSortedColumn
Napi::Value sort_values(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    return to_object(info.Env(), sort_column(to_vector<double>(info[0], "values"), nullptr, CancelFlag()));
  });
}

// sortedRelation(a: SortedHandle, b: SortedHandle): 1 | -1 | 0
Napi::Value relation(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    return Napi::Number::New(info.Env(), monotone_relation(*to_sorted(info[0]), *to_sorted(info[1])));
  });
}

// sortedLevels(columns: readonly SortedHandle[], begin: number, end: number, threads: number):
// NativeJob<Float64Array>
Napi::Value sorted_levels(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    return Job::start(info.Env(), info.Env().Undefined(),
                      [held = to_list(info[0], "columns", to_sorted), begin = to_size(info[1], "begin"),
                       end = to_size(info[2], "end"), threads = to_size(info[3], "threads")](
                          const CancelFlag& cancel, const Job::Progress&) -> Job::Deliver {
                        std::vector<const SortedColumn*> columns;
                        for (const auto& column : held) columns.push_back(column.get());
                        auto u = rank_levels(threads, columns, begin, end, cancel);
                        return [u = std::move(u)](Napi::Env env) { return to_array(env, u); };
                      });
  });
}

// sortedRelease(column: SortedHandle): void
Napi::Value release(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    from_external<SortedColumn>(info[0], sorted_tag, "sortColumns").reset();
    return info.Env().Undefined();
  });
}

}  // namespace

void register_columns(Napi::Env env, Napi::Object exports) {
  exports.Set("marginColumn", Napi::Function::New(env, margin_column));
  exports.Set("rankColumn", Napi::Function::New(env, rank_column));
  exports.Set("columnLevels", Napi::Function::New(env, levels));
  exports.Set("columnValues", Napi::Function::New(env, values));
  exports.Set("columnCells", Napi::Function::New(env, cells));
  exports.Set("columnLogPdf", Napi::Function::New(env, log_pdf));
  exports.Set("sortColumns", Napi::Function::New(env, sort));
  exports.Set("sortedColumn", Napi::Function::New(env, sorted_column));
  exports.Set("sortValues", Napi::Function::New(env, sort_values));
  exports.Set("sortedRelation", Napi::Function::New(env, relation));
  exports.Set("sortedLevels", Napi::Function::New(env, sorted_levels));
  exports.Set("sortedRelease", Napi::Function::New(env, release));
}

}  // namespace sklar::addon
