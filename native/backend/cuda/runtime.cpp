#include "backend/cuda/runtime.hpp"

#include <cuda_runtime.h>

#include <string>

#include "core/error.hpp"

namespace sklar::cuda {
namespace {

constexpr std::size_t granularity = 512;

std::size_t size_class(std::size_t bytes) {
  return (bytes + granularity - 1) / granularity * granularity + (bytes == 0 ? granularity : 0);
}

std::string megabytes(std::size_t bytes) {
  return std::to_string((bytes + (std::size_t{1} << 20) - 1) >> 20) + " MB";
}

class GraphRecording final : public Recording {
 public:
  explicit GraphRecording(std::size_t releases) : releases_(releases) {}
  GraphRecording(cudaGraphExec_t graph, std::size_t releases) : graph_(graph), releases_(releases) {}
  ~GraphRecording() override {
    if (graph_) cudaGraphExecDestroy(graph_);
  }
  cudaGraphExec_t graph(std::size_t releases) const { return releases == releases_ ? graph_ : nullptr; }

 private:
  cudaGraphExec_t graph_ = nullptr;
  std::size_t releases_;
};

std::size_t attribute(cudaDeviceAttr what) {
  int device = 0, value = 0;
  check(cudaGetDevice(&device));
  check(cudaDeviceGetAttribute(&value, what, device));
  return static_cast<std::size_t>(value);
}

// Memory cannot be asked for while a stream is recorded.
struct NotRecordable {};

cudaStream_t cuda_stream(void* stream) { return static_cast<cudaStream_t>(stream); }

}  // namespace

void check(int status) {
  if (status == cudaSuccess) return;
  const auto error = static_cast<cudaError_t>(status);
  cudaGetLastError();  // clear it, or the next launch would report it as its own
  throw Error(error == cudaErrorMemoryAllocation ? "MEMORY" : "DEVICE",
              std::string("CUDA: ") + cudaGetErrorString(error) + " (" + cudaGetErrorName(error) + ")");
}

std::size_t processors() { return attribute(cudaDevAttrMultiProcessorCount); }
std::size_t most_shared_memory() { return attribute(cudaDevAttrMaxSharedMemoryPerBlockOptin); }

Runtime::Runtime(int device) {
  check(cudaSetDevice(device));
  cudaStream_t stream = nullptr;
  check(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking));
  stream_ = stream;
}

Runtime::~Runtime() {
  cudaStreamSynchronize(cuda_stream(stream_));
  for (const auto& [size, blocks] : free_)
    for (void* p : blocks) cudaFree(p);
  cudaStreamDestroy(cuda_stream(stream_));
}

void* Runtime::allocate(std::size_t bytes) {
  moved_while_capturing_ |= capturing_;
  const std::size_t size = size_class(bytes);
  if (auto& blocks = free_[size]; !blocks.empty()) {
    void* p = blocks.back();
    blocks.pop_back();
    return p;
  }
  if (capturing_) throw NotRecordable{};
  void* p = nullptr;
  cudaError_t status = cudaMalloc(&p, size);
  if (status == cudaErrorMemoryAllocation) {
    cudaGetLastError();
    cudaStreamSynchronize(cuda_stream(stream_));
    for (auto& [other, blocks] : free_) {
      for (void* block : blocks) cudaFree(block);
      blocks.clear();
    }
    status = cudaMalloc(&p, size);
  }
  if (status == cudaErrorMemoryAllocation) {
    cudaGetLastError();
    std::size_t free = 0, total = 0;
    cudaMemGetInfo(&free, &total);
    throw Error("MEMORY", "expected " + megabytes(size) + " of device memory, " + megabytes(free) + " of " +
                              megabytes(total) + " are free");
  }
  check(status);
  return p;
}

void Runtime::release(void* p, std::size_t bytes) noexcept {
  moved_while_capturing_ |= capturing_;
  ++releases_;
  try {
    free_[size_class(bytes)].push_back(p);
  } catch (...) {
    cudaStreamSynchronize(cuda_stream(stream_));
    cudaFree(p);
  }
}

void Runtime::upload(void* to, const void* host, std::size_t bytes) {
  // returns when pageable memory has been read
  if (bytes) check(cudaMemcpyAsync(to, host, bytes, cudaMemcpyHostToDevice, cuda_stream(stream_)));
}
void Runtime::download(void* host, const void* from, std::size_t bytes) {
  if (bytes) check(cudaMemcpyAsync(host, from, bytes, cudaMemcpyDeviceToHost, cuda_stream(stream_)));
  check(cudaStreamSynchronize(cuda_stream(stream_)));
}
void Runtime::copy(void* to, const void* from, std::size_t bytes) {
  if (bytes) check(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDeviceToDevice, cuda_stream(stream_)));
}
void Runtime::clear(void* p, std::size_t bytes) {
  if (bytes) check(cudaMemsetAsync(p, 0, bytes, cuda_stream(stream_)));
}
void Runtime::upload_rows(void* to, std::size_t to_pitch, const void* host, std::size_t width,
                          std::size_t rows) {
  if (width && rows)
    check(cudaMemcpy2DAsync(to, to_pitch, host, width, width, rows, cudaMemcpyHostToDevice,
                            cuda_stream(stream_)));
}
void Runtime::download_rows(void* host, std::size_t width, const void* from, std::size_t from_pitch,
                            std::size_t rows) {
  if (width && rows)
    check(cudaMemcpy2DAsync(host, width, from, from_pitch, width, rows, cudaMemcpyDeviceToHost,
                            cuda_stream(stream_)));
  check(cudaStreamSynchronize(cuda_stream(stream_)));
}

// The first call runs the body as it is, so that buffers grow; the second records it.
void Runtime::replay(std::unique_ptr<Recording>& recording, const std::function<void()>& body) {
  const auto* known = static_cast<const GraphRecording*>(recording.get());
  if (!known) {
    body();
    recording = std::make_unique<GraphRecording>(releases_);
    return;
  }
  if (const cudaGraphExec_t graph = known->graph(releases_)) {
    check(cudaGraphLaunch(graph, cuda_stream(stream_)));
    return;
  }
  moved_while_capturing_ = false;
  check(cudaStreamBeginCapture(cuda_stream(stream_), cudaStreamCaptureModeThreadLocal));
  capturing_ = true;
  cudaGraph_t graph = nullptr;
  const auto stop = [&] {
    capturing_ = false;
    return cudaStreamEndCapture(cuda_stream(stream_), &graph);
  };
  bool recordable = true;
  try {
    body();
  } catch (const NotRecordable&) {
    recordable = false;
  } catch (...) {
    stop();
    if (graph) cudaGraphDestroy(graph);
    throw;
  }
  check(stop());
  if (!recordable || moved_while_capturing_) {
    cudaGraphDestroy(graph);
    body();
    return;
  }
  cudaGraphExec_t executable = nullptr;
  const cudaError_t status = cudaGraphInstantiate(&executable, graph, 0);
  cudaGraphDestroy(graph);
  check(status);
  recording = std::make_unique<GraphRecording>(executable, releases_);
  check(cudaGraphLaunch(executable, cuda_stream(stream_)));
}

}  // namespace sklar::cuda
