// Losses, gradients and Adam's steps against the published classes, run in float64 with automatic
// differentiation. SKLAR_REFERENCE_DIR may name another folder with files of the same form.
#include <cstdlib>

#include "check.hpp"
#include "fields/velocity_field.hpp"
#include "given_batch.hpp"
#include "json.hpp"
#include "train/trainer.hpp"

using namespace sklar;
using given_batch::on_host;

namespace {

Json cases(const char* file) {
  const char* folder = std::getenv("SKLAR_REFERENCE_DIR");
  return JsonReader((folder ? std::string(folder) : std::string(SKLAR_FIXTURES) + "/reference") + "/" + file)
      .value();
}

// Relative to the largest value.
template <class T>
void check_close(const char* what, const std::vector<T>& actual, const std::vector<double>& expected,
                 double tolerance) {
  CHECK_EQUAL(actual.size(), expected.size());
  double scale = 0, error = 0;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    scale = std::max(scale, std::abs(expected[i]));
    const double e = std::abs(static_cast<double>(actual[i]) - expected[i]);
    if (!(e <= error)) error = e;
  }
  if (!(error <= tolerance * scale))
    check::fail(__FILE__, __LINE__,
                std::string(what) + ": error " + std::to_string(error) + " of " + std::to_string(scale));
}

template <class T>
std::vector<T> gather(const std::vector<ParameterSlice>& slices, const Json& values) {
  std::vector<T> all;
  for (const ParameterSlice& s : slices) {
    const auto part = values[s.name].flat<T>();
    all.insert(all.end(), part.begin(), part.end());
  }
  return all;
}

template <class T>
std::vector<T> inner(const std::vector<T>& x, std::size_t columns) {
  std::vector<T> kept;
  for (std::size_t i = 0; i < x.size(); ++i)
    if (i % (columns + 1) != columns) kept.push_back(x[i]);
  return kept;
}

template <class T>
void check_cdc(const Json& c, double tolerance) {
  const auto size = [&](const char* name) { return static_cast<std::size_t>(c[name].number); };
  const auto backend = make_cpu_backend<T>(2);
  const OuLevels levels(c["timeSteps"].flat());
  const auto network = make_residual_mlp<T>(*backend, {size("inputDim"), size("hiddenDim"), size("depth"),
                                                       size("numTimesteps"), Activation::published});
  const auto slices = network->slices();
  auto parameters = gather<T>(slices, c["parameters"]);
  const Json& training = c["training"];
  CdcObjective<T> objective(*backend, *network, levels, training["tIdx"].items.size());
  objective.use_published_levels(c["ceWeight"].number);
  const auto derivative = [&](const Json& batch) {
    given_batch::put<T>(*backend, objective, levels, batch["x0"].flat<T>(), batch["noise"].flat<T>(),
                        batch["tIdx"].flat<std::int32_t>());
    return given_batch::derivative<T>(*backend, *network, objective, parameters);
  };

  const auto got = derivative(training);
  const BatchDraw<T> batch = objective.batch_draw({}, 0, nullptr);
  const ClassifierLoss<T> loss = objective.classifier_loss(nullptr);
  check_close("noised rows", inner(on_host<T>(*backend, batch.x), size("inputDim")), training["xt"].flat(),
              tolerance);
  check_close("logits", on_host<T>(*backend, loss.logits), training["logits"].flat(), tolerance);
  check_close("denoiser", on_host<T>(*backend, loss.predicted_noise), training["denoiser"].flat(), tolerance);
  CHECK_NEAR(got.state.cross_entropy, training["crossEntropy"].number,
             tolerance * training["crossEntropy"].number);
  CHECK_NEAR(got.state.squared_error, training["mse"].number, tolerance * training["mse"].number);
  CHECK_NEAR(objective.loss(got.state), training["loss"].number, tolerance * training["loss"].number);
  const auto check_slices = [&](const std::vector<T>& values, const Json& expected) {
    for (const ParameterSlice& s : slices) {
      const auto first = values.begin() + static_cast<std::ptrdiff_t>(s.offset);
      check_close(s.name.c_str(),
                  std::vector<T>(first, first + static_cast<std::ptrdiff_t>(Network<T>::slice_size(s))),
                  expected[s.name].flat(), tolerance);
    }
  };
  check_slices(got.gradient, training["gradients"]);

  const Json& adam = c["adam"];
  const auto betas = adam["betas"].flat();
  const std::size_t count = parameters.size();
  AdamUpdate<T> update;
  update.options = {{adam["lr"].number, 1, 0, 0}, betas[0], betas[1], adam["eps"].number,
                    adam["clipNorm"].number,      0,        0};
  const auto at = backend->template buffer<T>(count), m = backend->template buffer<T>(count),
             v = backend->template buffer<T>(count), average = backend->template buffer<T>(count);
  const auto state = backend->template buffer<TrainState>(1);
  update.parameters = at.data();
  update.m = m.data();
  update.v = v.data();
  update.average = average.data();
  update.state = state.data();
  backend->upload(at.data(), parameters.data(), count * sizeof(T));
  for (const Json& step : adam["steps"].items) {
    const auto now = derivative(step);
    CHECK_NEAR(objective.loss(now.state), step["loss"].number, tolerance * step["loss"].number);
    const auto gradient = backend->template buffer<T>(count);
    backend->upload(gradient.data(), now.gradient.data(), count * sizeof(T));
    update.gradient = gradient.data();
    backend->adam({&update, 1}, count);
    CHECK_NEAR(on_host(*backend, state.data(), 1)[0].gradient_norm, step["gradNorm"].number,
               tolerance * step["gradNorm"].number);
    parameters = on_host(*backend, at.data(), count);
  }
  check_slices(parameters, adam["parametersAfter"]);
}

template <class T>
void check_reflection(const Json& c, double tolerance) {
  const auto backend = make_cpu_backend<T>(1);
  VelocityDefinition d;
  d.process = Process::reflection;
  d.published = true;
  d.dim = static_cast<std::size_t>(c["inputDim"].number);
  d.frequencies = 0;
  d.hidden = static_cast<std::size_t>(c["hiddenDim"].number);
  d.depth = static_cast<std::size_t>(c["numLayers"].number);
  const Json& training = c["training"];
  const auto u0 = training["u0"].flat<T>(), v0 = training["v0"].flat<T>();
  const auto time = training["t"].flat();
  std::vector<T> state(u0.size()), target(u0.size());
  for (std::size_t i = 0; i < u0.size(); ++i)
    ReflectionProcess::path(time[i / d.dim], u0[i], v0[i], PathDraw{}, &state[i], &target[i]);
  check_close("states", state, training["ut"].flat(), tolerance);
  check_close("velocities", target, training["vt"].flat(), tolerance);
  const auto network = make_velocity_network<T>(*backend, d);
  VelocityObjective<T> objective(*backend, *network, d.head(), {}, time.size());
  given_batch::put<T>(*backend, objective, state, target, time);
  const auto got =
      given_batch::derivative<T>(*backend, *network, objective, gather<T>(d.slices(), c["parameters"]));
  check_close("output", on_host<T>(*backend, objective.velocity_loss(nullptr).output),
              training["prediction"].flat(), tolerance);
  CHECK_NEAR(objective.loss(got.state), training["loss"].number, tolerance * training["loss"].number);
  check_close("gradient", got.gradient, gather<double>(d.slices(), training["gradients"]), tolerance);
}

}  // namespace

TEST_CASE("the published classification-diffusion copula: a training step, Adam with clipping") {
  for (const Json& c : cases("cdc.json").items) {
    // the loss of guided models is that of the network's own coordinates here, and not the published one
    if (!c["correlation"].null) continue;
    check_cdc<double>(c, 1e-9);
    check_cdc<float>(c, 2e-4);
  }
}

TEST_CASE("the published reflection copula: paths, network, loss and gradient") {
  for (const Json& c : cases("reflection.json").items) {
    check_reflection<double>(c, 1e-10);
    check_reflection<float>(c, 2e-4);
  }
}

TEST_CASE("fold, and the velocity that it turns round") {
  for (const Json& c : cases("reflection.json").items) {
    const auto x = c["fold"]["x"].flat(), v = c["fold"]["v"].flat(), position = c["fold"]["position"].flat(),
               velocity = c["fold"]["velocity"].flat();
    for (std::size_t i = 0; i < x.size(); ++i) {
      // free flight for time 1 ends at the position x
      double state = 0, turned = 0;
      ReflectionProcess::path(1, x[i] - v[i], v[i], PathDraw{}, &state, &turned);
      CHECK_NEAR(state, position[i], 1e-12);
      CHECK_NEAR(turned, velocity[i], 1e-12);
    }
  }
}
