// Every operation of a backend refuses operands of wrong shapes, and says which operation it was.
#include <functional>

#include "backend/backend.hpp"
#include "check.hpp"
#include "core/error.hpp"

using namespace sklar;

namespace {

constexpr std::size_t rows = 4, dim = 3;

struct Operands {
  std::unique_ptr<Backend<double>> backend = make_cpu_backend<double>(1);
  Backend<double>& b = *backend;
  // `wide` has the column of ones
  Matrix<double> good = b.matrix(rows, dim), wide = b.matrix(rows, dim + 1), narrow = b.matrix(rows, dim - 1),
                 short_one = b.matrix(rows - 1, dim);
  Buffer<double> numbers = b.buffer<double>(100);
  Buffer<std::int32_t> level = b.buffer<std::int32_t>(rows);
  TrainState state{};
  VelocityHead head{Process::ou, dim, 0, false};
  Matrix<double> features = b.matrix(rows, velocity_inputs(head) + 1);
  PackedMatrix<double> packed;

  Levels<double> levels() const { return {dim, numbers.data(), numbers.data()}; }
  BatchDraw<double> draw() {
    BatchDraw<double> d;
    d.state = &state;
    d.data = good;
    d.levels = levels();
    d.noise = good;
    d.x = wide;
    d.level = level.data();
    return d;
  }
  ClassifierLoss<double> classifier() {
    ClassifierLoss<double> l;
    l.logits = l.gradient = l.noise = good;
    l.logit_adjoint = l.predicted_noise = good;
    l.x = wide;
    l.gradient_adjoint = wide;
    l.level = level.data();
    l.levels = levels();
    l.row_losses = numbers.data();
    l.state = &state;
    return l;
  }
  VelocityLoss<double> velocity() {
    VelocityLoss<double> l;
    l.head = head;
    l.output = l.target = good;
    l.output_adjoint = good;
    l.y = wide;
    l.time = l.row_losses = numbers.data();
    l.state = &state;
    return l;
  }
  VelocityDraw<double> path() {
    VelocityDraw<double> d{&state, 0,    good,          head, {TimeLaw::Kind::uniform, 0.1, 1},
                           wide,   good, numbers.data()};
    return d;
  }
  ErrorNorm<double> norm() {
    ErrorNorm<double> n;
    n.error = n.a = n.b = good;
    n.absolute = 1;
    n.out = numbers.data();
    return n;
  }
  VelocityForm form() const { return {head, Form::velocity}; }
  double* some() const { return numbers.data(); }
};

template <class S, class Change>
S with(S s, Change&& change) {
  change(s);
  return s;
}

struct Case {
  const char* operation;
  void (*call)(Operands&);
};

const Case right[] = {
    {"draw_batch", [](Operands& o) { o.b.draw_batch(o.draw()); }},
    {"classifier_loss", [](Operands& o) { o.b.classifier_loss(o.classifier()); }},
    {"draw_velocity", [](Operands& o) { o.b.draw_velocity(o.path()); }},
    {"velocity_loss", [](Operands& o) { o.b.velocity_loss(o.velocity()); }},
    {"error_norm", [](Operands& o) { o.b.error_norm(o.norm()); }},
    {"velocity_features", [](Operands& o) { o.b.velocity_features(o.head, o.wide, o.some(), o.features); }},
};

const Case wrong[] = {
    {"pack", [](Operands& o) { o.b.pack(o.packed, o.some(), 2, 4, 3, Orientation::as_is); }},
    {"linear",
     [](Operands& o) {
       o.b.pack(o.packed, o.some(), 3, dim, dim, Orientation::as_is);
       EpilogueOperands<double> e;
       e.out[0] = o.good;
       o.b.linear(o.narrow, o.packed, e);
     }},
    {"outer",
     [](Operands& o) {
       OuterProduct<double> p;
       p.segment[0] = {o.good, o.short_one};
       p.c = o.some();
       p.c_stride = dim;
       o.b.outer({&p, 1});
     }},
    {"upload_matrix", [](Operands& o) { o.b.upload_matrix(o.good, nullptr); }},
    {"download_matrix", [](Operands& o) { o.b.download_matrix(nullptr, o.good); }},
    {"transpose", [](Operands& o) { o.b.transpose(o.good, o.good); }},
    {"fill_column", [](Operands& o) { o.b.fill_column(o.good, dim, 1); }},
    {"combine",
     [](Operands& o) {
       Combine<double> sum;
       sum.to = o.good;
       o.b.combine(sum.add(o.narrow, 1));
     }},
    {"copy_rows", [](Operands& o) { o.b.copy_rows(o.short_one, nullptr, o.good, nullptr, rows); }},
    {"row_dots", [](Operands& o) { o.b.row_dots(o.some(), 1, o.good, o.narrow, false); }},
    {"orthonormalise",
     [](Operands& o) {
       const MatrixView<double> q[] = {o.good, o.narrow};
       o.b.orthonormalise(q);
     }},
    {"fill", [](Operands& o) { o.b.fill(nullptr, 1, 0); }},
    {"add_scaled", [](Operands& o) { o.b.add_scaled(o.some(), nullptr, 4, 1, o.some(), 0); }},
    {"normals",
     [](Operands& o) {
       o.b.normals({o.some(), rows, dim, dim - 1}, 1, 0, 0, 0);
     }},
    {"signs",
     [](Operands& o) {
       o.b.signs({nullptr, rows, dim, dim}, 1, 0, 0, 0);
     }},
    {"brownian",
     [](Operands& o) {
       o.b.brownian(o.good, o.short_one, {1, 0, nullptr, 1}, o.some(), o.some());
     }},
    {"draw_tied",
     [](Operands& o) {
       TiedDraw<double> f;
       f.data = o.good;
       o.b.draw_tied(f);
     }},
    {"adam",
     [](Operands& o) {
       AdamUpdate<double> u;
       u.parameters = u.m = u.v = o.some();
       u.state = &o.state;
       o.b.adam({&u, 1}, 3);
     }},
    {"keep_finite", [](Operands& o) { o.b.keep_finite(o.good, o.narrow, o.level.data(), 1); }},
    {"error_norm", [](Operands& o) { o.b.error_norm(with(o.norm(), [&](auto& n) { n.b = o.short_one; })); }},
    {"error_norm", [](Operands& o) { o.b.error_norm(with(o.norm(), [&](auto& n) { n.extra = 1; })); }},
    {"fold", [](Operands& o) { o.b.fold(o.wide, o.good); }},
    {"flip", [](Operands& o) { o.b.flip(o.good, o.short_one); }},
    {"run_trajectory",
     [](Operands& o) {
       TrajectoryProgram<double> p;
       p.z = o.good;
       o.b.run_trajectory(p);
     }},
    {"whiten", [](Operands& o) { o.b.whiten(o.wide, nullptr, false, nullptr, nullptr); }},
    {"whiten", [](Operands& o) { o.b.whiten(MatrixView<double>{}, nullptr, false, nullptr, nullptr); }},
    {"colour", [](Operands& o) { o.b.colour(nullptr, o.wide, false, nullptr, nullptr); }},
    {"draw_batch", [](Operands& o) { o.b.draw_batch(with(o.draw(), [&](auto& d) { d.x = o.good; })); }},
    {"draw_batch", [](Operands& o) { o.b.draw_batch(with(o.draw(), [&](auto& d) { d.active = 9; })); }},
    {"level_cotangent", [](Operands& o) { o.b.level_cotangent(o.good, nullptr); }},
    {"classifier_loss",
     [](Operands& o) { o.b.classifier_loss(with(o.classifier(), [&](auto& l) { l.x = o.good; })); }},
    {"classifier_loss",
     [](Operands& o) { o.b.classifier_loss(with(o.classifier(), [&](auto& l) { l.logits = o.wide; })); }},
    {"classifier_step",
     [](Operands& o) { o.b.classifier_step({}, std::vector<TrainedModel<double>>(most_models + 1)); }},
    {"log_ratio", [](Operands& o) { o.b.log_ratio(o.some(), o.good, dim); }},
    {"interpolate_levels",
     [](Operands& o) {
       o.b.interpolate_levels(o.good, o.some(), {dim + 1, o.some(), false, o.some(), {}});
     }},
    {"draw_velocity", [](Operands& o) { o.b.draw_velocity(with(o.path(), [&](auto& d) { d.y = o.good; })); }},
    {"velocity_features", [](Operands& o) { o.b.velocity_features(o.head, o.wide, o.some(), o.good); }},
    {"velocity_loss",
     [](Operands& o) { o.b.velocity_loss(with(o.velocity(), [&](auto& l) { l.target = o.narrow; })); }},
    {"velocity_step",
     [](Operands& o) { o.b.velocity_step({}, std::vector<TrainedModel<double>>(most_models + 1)); }},
    {"velocity_output",
     [](Operands& o) { o.b.velocity_output(o.form(), o.wide, o.some(), o.narrow, o.good); }},
    {"velocity_cotangent", [](Operands& o) { o.b.velocity_cotangent(o.head, o.wide, o.narrow, o.good); }},
    {"velocity_product",
     [](Operands& o) {
       o.b.velocity_product(o.form(), o.wide, o.some(), o.good, o.features, o.good, o.narrow);
     }},
    {"velocity_diagonal",
     [](Operands& o) {
       o.b.velocity_diagonal(o.form(), o.wide, o.some(), o.good, o.features, dim, o.some());
     }},
};

}  // namespace

TEST_CASE("operands that fit are taken") {
  for (const Case& c : right) {
    Operands o;
    c.call(o);
  }
}

TEST_CASE("every operation refuses operands that do not fit, and is named") {
  for (const Case& c : wrong) {
    Operands o;
    const std::string where = std::string("(") + c.operation + ")";
    std::string message;
    try {
      c.call(o);
    } catch (const Error& error) {
      if (error.code() == "SHAPE") message = error.what();
    }
    if (message.find("expected ") != 0 || message.find(where) == std::string::npos)
      check::fail(__FILE__, __LINE__, where + " said \"" + message + "\"");
  }
}
