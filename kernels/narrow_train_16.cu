#include "narrow_train.cuh"

namespace sklar::cuda {
template int launch_classifier_training<16>(const ClassifierTraining&, bool, void*);
}  // namespace sklar::cuda
