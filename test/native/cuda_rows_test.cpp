// Elementwise and row-wise operations on CUDA.
#include "core/linear/symmetric.hpp"
#include "core/margin_maps.hpp"
#include "device_support.hpp"
#include "train/tied_rows.hpp"

using namespace device_support;

namespace {

constexpr std::size_t rows = 67, dim = 5;

std::vector<double> doubles(std::size_t count, std::uint64_t seed, double low = 0, double high = 1) {
  std::vector<double> values(count);
  for (std::size_t i = 0; i < count; ++i)
    values[i] = low + (high - low) * static_cast<double>(philox_uniform(
                                         philox(philox_counter(i, 0, 0, kTagTrainTime), philox_key(seed)).x));
  return values;
}

std::vector<double> cholesky() {
  std::vector<double> l(dim * dim, 0.0);
  for (std::size_t i = 0; i < dim; ++i)
    for (std::size_t j = 0; j <= i; ++j) l[i * dim + j] = i == j ? 0.8 : 0.1 * static_cast<double>(i - j);
  return l;
}

}  // namespace

TEST_CASE("random numbers have the same bits") {
  compare("normals and signs", 0, [](Bench& b) {
    for (std::size_t columns : {4, 7, 64}) {
      const auto m = b.poisoned(33, columns);
      b.backend.normals(m, 0x0123456789abcdefULL, (1ULL << 32) - 10, (1ULL << 32) + 5, kTagSampleNoise);
      b.keep(m);
      b.backend.signs(m, 11, 5, 3, kTagTraceProbe);
      b.keep(m);
    }
  });
}

TEST_CASE("Brownian paths") {
  compare("Brownian paths", 1e-7, [](Bench& b) {
    const auto w = b.poisoned(rows, dim), h = b.poisoned(rows, dim);
    auto from = doubles(rows, 1, 0, 0.5), to = doubles(rows, 2, 0.5, 1.5);
    to[3] = from[3];
    std::vector<std::uint32_t> moved(rows);
    for (std::size_t i = 0; i < rows; ++i) moved[i] = static_cast<std::uint32_t>(rows - i);
    const auto rows_on = b.buffer(moved);
    const auto from_on = b.buffer(from), to_on = b.buffer(to);
    b.backend.brownian(w, h, {9, 100, nullptr, 1.5}, from_on.data(), to_on.data());
    b.keep(w);
    b.keep(h);
    b.backend.brownian(w, h, {9, 100, rows_on.data(), 1.5}, from_on.data(), to_on.data());
    b.keep(w);
  });
}

TEST_CASE("moves, sums and reflections") {
  compare("moves", 1e-6, [](Bench& b) {
    const auto x = b.matrix(rows, dim, 1), y = b.matrix(rows, dim, 2), to = b.poisoned(dim, rows);
    b.backend.transpose(to, x);
    b.keep(to);
    b.backend.fill_column(y, 2, 7);
    b.keep(y);
    const auto folded = b.poisoned(rows, dim);
    b.backend.fold(folded, x);
    b.keep(folded);
    b.backend.flip(folded, x);
    b.keep(folded);
    const auto copy = b.poisoned(rows, dim);
    const auto order = b.buffer(std::vector<std::uint32_t>{5, 3, 60, 0});
    b.backend.fill_column(copy, 0, 1);
    b.backend.copy_rows(copy, nullptr, x, order.data(), 4);
    b.keep(copy.first(4));
    b.backend.copy_rows(copy, order.data(), x, nullptr, 4);
    b.keep(copy.first(1));

    auto sum = b.buffer(doubles(rows * 3, 1));
    const auto other = b.buffer(doubles(rows * 3, 2)), factors = b.buffer(doubles(rows, 3));
    b.backend.add_scaled(sum.data(), other.data(), sum.size(), 0.5, factors.data(), 3);
    b.keep(sum);
    b.backend.add_scaled(sum.data(), nullptr, sum.size(), -2, nullptr, 1);
    b.keep(sum);
    b.backend.row_dots(sum.data() + 1, 3, x, folded, true);
    b.backend.row_dots(sum.data() + 2, 3, x, folded, false);
    b.keep(sum);
    b.backend.fill(sum.data(), 7, 4.5);
    b.keep(sum);
  });
}

TEST_CASE("vectors of a row are made orthonormal") {
  compare("orthonormal", 1e-6, [](Bench& b) {
    std::vector<Matrix<float>> q;
    for (std::size_t k = 0; k < 4; ++k) q.push_back(b.matrix(rows, dim, k));
    b.backend.copy_rows(q[3], nullptr, q[1], nullptr, rows / 2);  // depends on another
    std::vector<MatrixView<float>> views(q.begin(), q.end());
    b.backend.orthonormalise(views);
    for (const auto& m : q) b.keep(m);
  });
}

TEST_CASE("combinations with noise") {
  compare("combine", 1e-6, [](Bench& b) {
    const auto x = b.matrix(rows, dim, 1), y = b.matrix(rows, dim, 2);
    const auto factors = b.buffer(doubles(rows, 4));
    Combine<float> c;
    c.to = x;
    c.add(x, 0.5).add(y, -1.5, factors.data());
    c.noise = 0.3;
    c.seed = 4;
    c.first_row = 10;
    c.step = 3;
    c.tag = kTagSampleNoise;
    b.backend.combine(c);
    b.keep(x);
  });
}

TEST_CASE("what adaptive integrators ask") {
  compare("errors", 1e-6, [](Bench& b) {
    const auto y = b.matrix(rows, dim, 1), good = b.matrix(rows, dim, 2), e = b.matrix(rows, dim, 3);
    const float nan = std::numeric_limits<float>::quiet_NaN();
    b.backend.upload(y.view().row(4) + 2, &nan, sizeof nan);
    const auto failed = b.buffer(std::vector<std::int32_t>(rows, 0));
    b.backend.keep_finite(y, good, failed.data(), 3);
    b.keep(y);
    b.keep(good);
    b.keep(failed);
    const auto extra = b.buffer(doubles(rows, 5)), value = b.buffer(doubles(rows, 6));
    const auto out = b.buffer(std::vector<double>(rows, NAN));
    ErrorNorm<float> norm;
    norm.error = e;
    norm.a = y;
    norm.b = good;
    norm.absolute = 1e-3;
    norm.relative = 1e-2;
    norm.out = out.data();
    b.backend.error_norm(norm);
    b.keep(out);
    norm.extra = 1;
    norm.extra_error = extra.data();
    norm.extra_value = value.data();
    b.backend.error_norm(norm);
    b.keep(out);
  });
}

TEST_CASE("scales of rows") {
  const auto l = cholesky();
  const auto u = doubles(rows * dim, 8, 0.001, 0.999);
  const auto pilot = doubles(MarginMaps::fewest_rows * dim, 9, -2, 2);
  const MarginMaps maps(MarginMaps::estimate(pilot.data(), MarginMaps::fewest_rows, dim));
  for (const double* factor : {static_cast<const double*>(nullptr), l.data()})
    compare("scales", 1e-6, [&](Bench& b) {
      const auto y = b.poisoned(rows, dim + 1);
      std::vector<double> quadratic(rows, NAN), out(rows * dim, NAN);
      b.backend.whiten(y, u.data(), false, factor, quadratic.data());
      b.keep(y);
      b.kept.insert(b.kept.end(), quadratic.begin(), quadratic.end());
      for (const MarginMaps* m : {static_cast<const MarginMaps*>(nullptr), &maps})
        for (bool gaussian : {false, true}) {
          b.backend.colour(out.data(), y, gaussian, factor, m);
          b.kept.insert(b.kept.end(), out.begin(), out.end());
        }
      b.backend.whiten(y, u.data(), true, factor, nullptr);
      b.keep(y);
    });
  // on the cube, its faces among them
  auto edges = u;
  edges[0] = 0;
  edges[7] = 1;
  compare("scales of the cube", 1e-6, [&](Bench& b) {
    const auto y = b.poisoned(rows, dim + 1);
    std::vector<double> out(rows * dim, NAN);
    b.backend.to_cube(y, u.data(), true);
    b.keep(y);
    b.backend.to_cube(y, edges.data(), false);
    b.keep(y);
    for (const MarginMaps* m : {static_cast<const MarginMaps*>(nullptr), &maps})
      for (bool gaussian : {false, true}) {
        b.backend.from_cube(out.data(), y, gaussian, m);
        b.kept.insert(b.kept.end(), out.begin(), out.end());
      }
    b.backend.to_uniform({y.data(), rows, dim, y.stride()});
    b.keep(y);
  });
}

TEST_CASE("levels of a classifier") {
  constexpr std::size_t levels = 4;
  compare("levels", 1e-6, [](Bench& b) {
    const auto cotangent = b.poisoned(rows, levels), logits = b.matrix(rows, levels, 1);
    std::vector<std::int32_t> level(rows);
    for (std::size_t i = 0; i < rows; ++i) level[i] = static_cast<std::int32_t>(i % levels);
    const auto level_on = b.buffer(level);
    b.backend.level_cotangent(cotangent, level_on.data());
    b.keep(cotangent);
    std::vector<double> ratio(rows, NAN);
    b.backend.log_ratio(ratio.data(), logits, 1);
    b.kept.insert(b.kept.end(), ratio.begin(), ratio.end());
    const auto w = b.buffer(std::vector<double>{1, 0.6, 0.3, 0});
    const auto theta = b.buffer(doubles(rows, 2, 0, 1.5707963267948966));
    const auto reference = b.buffer(std::vector<double>(rows, NAN));
    for (const Form form : {Form::gradient, Form::slope_w, Form::slope_alpha, Form::slope_theta})
      for (const bool known : {false, true}) {
        b.backend.interpolate_levels(cotangent, reference.data(),
                                     {levels, w.data(), known, theta.data(), form});
        b.keep(cotangent);
        b.keep(reference);
      }
  });
}

TEST_CASE("uploads of any size have read the host's memory when they return") {
  const auto gpu = cuda_backend();
  if (!gpu) return;
  for (const std::size_t count :
       {std::size_t{1}, std::size_t{5}, std::size_t{1} << 18, (std::size_t{7} << 18) + 3}) {
    const auto expected = normals(count, 3);
    auto host = expected;
    const auto on = gpu->buffer<float>(count);
    gpu->upload(on.data(), host.data(), count * sizeof(float));
    std::ranges::fill(host, 0.0f);
    gpu->download(host.data(), on.data(), count * sizeof(float));
    CHECK(host == expected);
  }
  // many small ones, more than wait at a time
  constexpr std::size_t parts = 1200, part = 1001;
  const auto expected = normals(parts * part, 4);
  const auto on = gpu->buffer<float>(expected.size());
  std::vector<float> host(part);
  for (std::size_t i = 0; i < parts; ++i) {
    std::copy_n(expected.begin() + static_cast<std::ptrdiff_t>(i * part), part, host.begin());
    gpu->upload(on.data() + i * part, host.data(), part * sizeof(float));
  }
  std::vector<float> all(expected.size());
  gpu->download(all.data(), on.data(), all.size() * sizeof(float));
  CHECK(all == expected);
  // rows with gaps between them: many, and such as are larger than what waits at a time
  for (const auto& [r, c] :
       {std::pair<std::size_t, std::size_t>{90001, 7}, {3, (std::size_t{1} << 18) + 5}}) {
    const auto rows_of = normals(r * c, 5);
    auto given = rows_of;
    const auto m = gpu->matrix(r, c);
    gpu->upload_matrix(m, given.data());
    std::ranges::fill(given, 0.0f);
    gpu->download_matrix(given.data(), m);
    CHECK(given == rows_of);
  }
}

TEST_CASE("device memory: sizes in the error, and life after it") {
  const auto gpu = cuda_backend();
  if (!gpu) return;
  CHECK_THROWS(
      gpu->buffer<double>(std::size_t{1} << 42), Error,
      error.code() == "MEMORY" && std::string(error.what()).find("MB of device memory") != std::string::npos);
  Bench b(*gpu);
  const auto m = b.matrix(3, 4, 1);
  b.keep(m);
  CHECK_EQUAL(b.kept.size(), 12u);
}

TEST_CASE("fresh levels within blocks") {
  const LevelBlocks blocks = {{0, 0.3, 0.3, 1}, {}, {0.2, 0.5, 0.7, 1}, {0.4, 0.6}, {}};
  const std::vector<double> none, l = cholesky();
  for (const std::size_t batch : {std::size_t{20}, rows + 5})
    for (const auto& coordinates : {RowCoordinates{none}, RowCoordinates{l}, RowCoordinates{none, true}})
      compare("fresh levels", 1e-6, [&](Bench& b) {
        const auto data = b.matrix(rows, dim, 3);
        const auto u = doubles(rows * dim, 4);
        const auto state = b.buffer(std::vector<TrainState>(1));
        TiedRows<float> tied(b.backend, blocks, u.data(), data, coordinates, 2, batch, 7);
        tied.complete_by(l);
        tied.settle(3, 1);
        b.keep(data);
        for (std::uint64_t step = 0; step < 5; ++step) {
          TrainState now{};
          now.step = step;
          b.backend.upload(state.data(), &now, sizeof now);
          b.backend.draw_tied(tied.of_step(state.data()));
          b.keep(data);
        }
      });
}
