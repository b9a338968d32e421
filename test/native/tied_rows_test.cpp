// Fresh levels within the blocks of recurring values: their law, the rows they concern, their bits.
#include "train/tied_rows.hpp"

#include <set>

#include "backend/rows/ties.h"
#include "check.hpp"
#include "classical/gaussian.hpp"
#include "core/linear/symmetric.hpp"
#include "core/normal.h"
#include "core/random/philox.h"

using namespace sklar;

namespace {

const LevelBlocks flag = {{0, 0.7, 0.7, 1}, {}};
const std::vector<double> identity;

std::vector<double> factor(double rho) { return cholesky({1, rho, rho, 1}, 2); }

// Rows on the copula scale, with a middle level for each block that holds one.
std::vector<double> tied_sample(std::size_t rows, double rho, const LevelBlocks& blocks) {
  std::vector<double> u(rows * 2);
  gaussian_sample(1, factor(rho), 2, rows, 5, 0, false, u.data(), {});
  for (std::size_t i = 0; i < u.size(); ++i) {
    const std::vector<double>& pairs = blocks[i % 2];
    for (std::size_t k = 0; k < pairs.size(); k += 2)
      if (u[i] >= pairs[k] && u[i] < pairs[k + 1]) u[i] = (pairs[k] + pairs[k + 1]) / 2;
  }
  return u;
}

// Rows with their blocks on a backend.
template <class T>
struct Problem {
  std::unique_ptr<Backend<T>> backend;
  Matrix<T> data;
  Buffer<TrainState> state;
  TiedRows<T> tied;

  Problem(const std::vector<double>& u, const LevelBlocks& blocks, const std::vector<double>& completion,
          std::size_t batch, const RowCoordinates& coordinates = {identity}, std::size_t threads = 1)
      : backend(make_cpu_backend<T>(threads)),
        data(whitened(u, coordinates)),
        state(backend->template buffer<TrainState>(1)),
        tied(*backend, blocks, u.data(), {data.data(), data.rows(), data.columns() - 1, data.stride()},
             coordinates, 2, batch, 9) {
    tied.complete_by(completion);
    tied.settle(20, 0);
  }
  Matrix<T> whitened(const std::vector<double>& u, const RowCoordinates& coordinates) {
    Matrix<T> m = backend->matrix(u.size() / 2, 3);
    if (coordinates.levels)
      backend->upload_matrix({m.data(), m.rows(), 2, m.stride()}, std::vector<T>(u.begin(), u.end()).data());
    else
      backend->whiten(m, u.data(), false,
                      coordinates.cholesky.empty() ? nullptr : coordinates.cholesky.data(), nullptr);
    return m;
  }
  std::vector<T> values() {
    std::vector<T> host(data.rows() * 2);
    backend->download_matrix(host.data(), {data.data(), data.rows(), 2, data.stride()});
    return host;
  }
  std::vector<T> step(std::uint64_t step) {
    TrainState now{};
    now.step = step;
    backend->upload(state.data(), &now, sizeof now);
    backend->draw_tied(tied.of_step(state.data()));
    return values();
  }
};

double density(double z) { return std::exp(-0.5 * z * z - half_log_two_pi); }

}  // namespace

TEST_CASE("a level is drawn from its conditional law within its block") {
  const double rho = 0.8, s = 0.6;
  // the flag is down, up; the other column is not tied
  const std::vector<double> u = {0.35, 0.1, 0.35, 0.9, 0.85, 0.3, 0.85, 0.99};
  Problem<double> p(u, flag, factor(rho), 4);
  std::vector<double> sum(4), squares(4);
  constexpr std::uint64_t steps = 20000;
  for (std::uint64_t k = 0; k < steps; ++k) {
    const std::vector<double> z = p.step(k);
    for (std::size_t i = 0; i < 4; ++i) {
      CHECK((z[2 * i] <= normal_quantile(0.7)) == (i < 2));
      sum[i] += z[2 * i];
      squares[i] += z[2 * i] * z[2 * i];
    }
  }
  for (std::size_t i = 0; i < 4; ++i) {
    const double mean = rho * normal_quantile(u[2 * i + 1]), edge = (normal_quantile(0.7) - mean) / s;
    const double p_block = i < 2 ? normal_cdf(edge) : normal_cdf(-edge);
    const double shift = (i < 2 ? -1 : 1) * density(edge) / p_block;
    const double ends = (i < 2 ? -1 : 1) * edge * density(edge) / p_block;
    const double variance = s * s * (1 + ends - shift * shift), n = static_cast<double>(steps);
    const double got = sum[i] / n;
    CHECK_NEAR(got, mean + s * shift, 4 * std::sqrt(variance / n));
    CHECK_NEAR((squares[i] / n - got * got) / variance, 1.0, 0.06);
  }
}

TEST_CASE("where both columns are tied the latent law is the Gaussian copula's") {
  const double rho = -0.7;
  const LevelBlocks both = {{0, 0.62}, {0.1, 0.4, 0.4, 0.8, 0.8, 1}};
  constexpr std::size_t rows = 20000;
  Problem<double> p(tied_sample(rows, rho, both), both, factor(rho), rows);
  const std::vector<double> z = p.step(3);
  double moments[5] = {};
  for (std::size_t i = 0; i < rows; ++i) {
    const double a = z[2 * i], b = z[2 * i + 1];
    const double values[5] = {a, b, a * a - 1, b * b - 1, a * b - rho};
    for (int k = 0; k < 5; ++k) moments[k] += values[k] / rows;
  }
  for (const double m : moments) CHECK_NEAR(m, 0.0, 4 * std::sqrt(2.0 / rows));
}

TEST_CASE("without a copula levels are uniform in their blocks, on the copula scale too") {
  const std::vector<double> u = {0.35, 0.2, 0.85, 0.5};
  Problem<double> p(u, flag, {}, 2, {identity, true});
  double low = 0, high = 0, square = 0;
  constexpr int steps = 20000;
  for (int k = 0; k < steps; ++k) {
    const std::vector<double> level = p.step(static_cast<std::uint64_t>(k));
    low += level[0] / steps;
    high += level[2] / steps;
    square += level[0] * level[0] / steps;
    CHECK_EQUAL(level[1], 0.2);
  }
  CHECK_NEAR(low, 0.35, 0.006);
  CHECK_NEAR(high, 0.85, 0.003);
  CHECK_NEAR(square, 0.49 / 3, 0.006);
}

TEST_CASE("only the rows that the batch draws change, and among them those that are tied") {
  constexpr std::size_t rows = 77, batch = 30;
  const LevelBlocks blocks = {{0.2, 0.6}, {}};
  std::vector<double> u(2 * rows);
  for (std::size_t i = 0; i < rows; ++i) {
    u[2 * i] = (static_cast<double>(i * 13 % rows) + 1) / (rows + 1);
    u[2 * i + 1] = (static_cast<double>(i) + 1) / (rows + 1);
  }
  Problem<float> p(u, blocks, factor(0.5), batch);
  const auto y = p.backend->matrix(batch, 3), target = p.backend->matrix(batch, 2);
  const auto time = p.backend->buffer<double>(batch);
  std::vector<float> before = p.values();
  for (std::uint64_t step = 0; step < 8; ++step) {  // the third and the sixth batch belong to two epochs
    const std::vector<float> after = p.step(step);
    VelocityDraw<float> draw;
    draw.state = p.state.data();
    draw.seed = 9;
    draw.data = {p.data.data(), rows, 2, p.data.stride()};
    draw.head = {Process::ou, 2, 0, false};
    draw.law = {TimeLaw::Kind::uniform, 0, 1e-300};
    draw.y = y;
    draw.target = target;
    draw.time = time.data();
    p.backend->draw_velocity(draw);
    std::vector<float> drawn(batch * 3);
    p.backend->download_matrix(drawn.data(), y);
    std::set<std::size_t> of_batch;
    for (std::size_t i = 0; i < batch; ++i) {
      const double level = normal_cdf(static_cast<double>(drawn[3 * i + 1]));
      of_batch.insert(static_cast<std::size_t>(level * (rows + 1) - 0.5));
    }
    for (std::size_t i = 0; i < rows; ++i) {
      const bool tied = u[2 * i] >= 0.2 && u[2 * i] <= 0.6;
      CHECK_EQUAL(after[2 * i] != before[2 * i], tied && of_batch.contains(i));
      CHECK_EQUAL(after[2 * i + 1], before[2 * i + 1]);
    }
    before = after;
  }
}

TEST_CASE("whitened rows are those of the drawn levels") {
  const std::vector<double> l = factor(0.6);
  const std::vector<double> u = tied_sample(50, 0.6, flag);
  Problem<double> plain(u, flag, l, 50), whitened(u, flag, l, 50, {l});
  const auto z = plain.step(4), y = whitened.step(4);
  for (std::size_t i = 0; i < 50; ++i) {
    CHECK_NEAR(y[2 * i], z[2 * i], 1e-14);
    CHECK_NEAR(0.6 * y[2 * i] + 0.8 * y[2 * i + 1], z[2 * i + 1], 1e-13);
  }
}

TEST_CASE("a draw depends on seed, step and row alone") {
  const LevelBlocks both = {{0, 0.5, 0.5, 1}, {0.3, 0.9}};
  const std::vector<double> u = tied_sample(700, 0.6, both), l = factor(0.6);
  for (const std::size_t batch : {std::size_t{300}, std::size_t{900}}) {
    Problem<float> one(u, both, l, batch, {l}), three(u, both, l, batch, {l}, 3),
        resumed(u, both, l, batch, {l});
    std::vector<float> last;
    for (std::uint64_t step = 0; step < 6; ++step) {
      last = one.step(step);
      CHECK(last == three.step(step));
    }
    // the rows of the last batch are what they are in a run that begins there
    const std::vector<float> settled = resumed.values(), then = resumed.step(5);
    std::size_t drawn = 0;
    for (std::size_t i = 0; i < then.size(); ++i)
      if (then[i] != settled[i]) {
        CHECK_EQUAL(then[i], last[i]);
        ++drawn;
      }
    CHECK(drawn > 200);
  }
}

TEST_CASE("blocks far from where the copula expects them") {
  CHECK_NEAR(rows::normal_between(-INFINITY, INFINITY, 0.25), normal_quantile(0.25), 1e-15);
  CHECK_NEAR(rows::normal_between(8, INFINITY, 0.5), -normal_quantile(0.5 * normal_cdf(-8)), 1e-12);
  CHECK_NEAR(rows::normal_between(-INFINITY, -8, 0.5), normal_quantile(0.5 * normal_cdf(-8)), 1e-12);
  CHECK_EQUAL(rows::normal_between(60, INFINITY, 0.5), 60.0);
  CHECK_EQUAL(rows::normal_between(-70, -60, 0.5), -60.0);
  for (const double share : {1e-7, 0.5, 1 - 1e-7}) {
    const double inside = rows::normal_between(3, 3.0000001, share);
    CHECK(inside >= 3 && inside <= 3.0000001);
  }
  // a row that contradicts a copula which is nearly singular
  Problem<double> p({0.999999, 0.05}, {{}, {0, 0.1}}, factor(0.99999), 1);
  const std::vector<double> z = p.step(0);
  CHECK(std::isfinite(z[1]) && z[1] <= normal_quantile(0.1));
}

TEST_CASE("the correlation of tied rows is not drawn towards zero") {
  constexpr std::size_t rows = 4000;
  for (const double rho : {0.8, -0.5})
    for (const LevelBlocks& blocks : {flag, LevelBlocks{{0, 0.8}, {0, 0.7, 0.7, 1}},
                                      LevelBlocks{{0, 0.2, 0.2, 0.5, 0.5, 1}, {0.1, 0.2}}}) {
      const std::vector<double> u = tied_sample(rows, rho, blocks);
      const auto r = tied_correlation(2, blocks, u.data(), rows, 100, 1e-5, 1, {});
      CHECK_NEAR(r[1], rho, 0.05);
      CHECK_EQUAL(r[1], r[2]);
      CHECK_EQUAL(r[0], 1.0);
      CHECK(r == tied_correlation(1, blocks, u.data(), rows, 100, 1e-5, 1, {}));
    }
}
