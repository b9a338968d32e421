#pragma once

#include <napi.h>

#include "addon/device_choice.hpp"
#include "addon/job.hpp"
#include "train/trainer.hpp"

// What training of every kind of model takes and gives.
namespace sklar::addon {

struct TrainCall {
  std::vector<double> training, validation;  // rows x dim, copula scale
  std::size_t rows = 0, validation_rows = 0, batch = 0;
  DeviceChoice device;
  TrainOptions options;
  std::shared_ptr<const TrainSnapshot<float>> snapshot;  // to go on from; null: from the start

  std::size_t validation_batch() const;
};

// { name: string; offset: number; rows: number; columns: number }[]
Napi::Value to_array(Napi::Env env, const std::vector<ParameterSlice>& slices);

AdamOptions to_adam(const Napi::Object& o);
TrainCall to_train_call(const Napi::Object& o, std::size_t dim);

// Runs the trainer to its end. Reports and snapshots go out through `progress`; no snapshot is lost, also not
// the one that a cancelled run leaves.
Job::Deliver run_training(Trainer<float>& trainer, const TrainCall& call, const CancelFlag& cancel,
                          const Job::Progress& progress);

}  // namespace sklar::addon
