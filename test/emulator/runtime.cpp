#include <sys/mman.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "cuda_runtime.h"

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#endif

namespace {

class Device;

struct Work {
  std::function<void()> run;
  bool kernel = false;
};

struct Stream {
  Device* device;
  std::deque<Work> pending;
  size_t done = 0;  // of all that was ever put there
};

thread_local cudaError_t last_error = cudaSuccess;
thread_local int current = 0;
thread_local EmulatedStream* recorded = nullptr;  // the stream that this thread captures
thread_local size_t launched = 0;

}  // namespace

struct EmulatedGraph {
  Device* device;
  std::vector<Work> work;
};
struct EmulatedStream {
  std::shared_ptr<Stream> stream;
  std::unique_ptr<EmulatedGraph> capture;
  bool invalidated = false;
};
struct EmulatedEvent {
  std::shared_ptr<Stream> stream;
  size_t when = 0;
};

namespace {

// Device memory is a range of addresses that only kernels and copies may touch: a host that reads it dies, as
// it would with a GPU.
constexpr size_t device_memory = size_t{1} << 30;
constexpr size_t gap = 256;  // between two blocks

class Device {
 public:
  Device(std::string model, size_t last_kernel)
      : model_(std::move(model)),
        kernels_left_(last_kernel),
        base_(static_cast<char*>(
            mmap(nullptr, device_memory, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0))) {
    poison(base_, device_memory);
  }

  const std::string& model() const { return model_; }
  cudaError_t state() {
    const std::lock_guard lock(mutex_);
    return state_;
  }

  void put(Stream& stream, Work work) {
    const std::lock_guard lock(mutex_);
    stream.pending.push_back(std::move(work));
  }
  size_t length(Stream& stream) {
    const std::lock_guard lock(mutex_);
    return stream.done + stream.pending.size();
  }
  // What the stream was given, or the first `until` things of that.
  cudaError_t run(Stream& stream, size_t until = SIZE_MAX) {
    const std::lock_guard lock(mutex_);
    if (stream.pending.empty()) return state_;
    const Open open(this);
    while (!stream.pending.empty() && stream.done < until) {
      const Work work = std::move(stream.pending.front());
      stream.pending.pop_front();
      ++stream.done;
      execute(work);
    }
    return state_;
  }
  cudaError_t run_all() {
    const std::lock_guard lock(mutex_);
    for (Stream* s : streams_) run(*s);
    return state_;
  }
  cudaError_t now(const std::function<void()>& work) {
    const std::lock_guard lock(mutex_);
    const Open open(this);
    execute({work});
    return state_;
  }
  void attach(Stream* s) {
    const std::lock_guard lock(mutex_);
    streams_.insert(s);
  }
  void detach(Stream* s) {
    const std::lock_guard lock(mutex_);
    streams_.erase(s);
  }

  void* allocate(size_t bytes) {
    const size_t size = (bytes + 255) / 256 * 256;
    const std::lock_guard lock(mutex_);
    char* p = nullptr;
    if (auto& list = free_[size]; !list.empty()) {
      p = list.back();
      list.pop_back();
    } else if (device_memory - end_ >= size + gap) {
      p = base_ + end_;
      end_ += size + gap;
    } else {
      return nullptr;
    }
    sizes_[p] = size;
    unpoison(p, bytes);
    const Open open(this);
    memset(p, 0xA5, bytes);
    return p;
  }

  void release(void* given) {
    const std::lock_guard lock(mutex_);
    const auto at = sizes_.find(static_cast<char*>(given));
    if (at == sizes_.end()) return;
    poison(at->first, at->second);
    free_[at->second].push_back(at->first);
    sizes_.erase(at);
  }

  size_t unused() {
    const std::lock_guard lock(mutex_);
    return device_memory - end_;
  }

  void limit_shared(const void* kernel, size_t bytes) {
    const std::lock_guard lock(mutex_);
    shared_limit_[kernel] = bytes;
  }
  bool takes_shared(const void* kernel, size_t bytes) {
    const std::lock_guard lock(mutex_);
    const auto at = shared_limit_.find(kernel);
    return bytes <= (at == shared_limit_.end() ? sklar::emulator::usual_shared : at->second);
  }

 private:
  struct Open {
    explicit Open(Device* d) : device(d) {
      if (device->depth_++ == 0) mprotect(device->base_, device_memory, PROT_READ | PROT_WRITE);
    }
    ~Open() {
      if (--device->depth_ == 0) mprotect(device->base_, device_memory, PROT_NONE);
    }
    Device* device;
  };

  // Nothing runs on a device after an error of a kernel.
  void execute(const Work& work) {
    if (state_ != cudaSuccess) return;
    if (work.kernel && --kernels_left_ == 0) {
      state_ = cudaErrorIllegalAddress;
      return;
    }
    try {
      work.run();
    } catch (const std::exception& error) {
      std::fprintf(stderr, "%s\n", error.what());
      state_ = cudaErrorLaunchFailure;
    }
  }

#if defined(__SANITIZE_ADDRESS__)
  static void poison(void* p, size_t bytes) { __asan_poison_memory_region(p, bytes); }
  static void unpoison(void* p, size_t bytes) { __asan_unpoison_memory_region(p, bytes); }
#else
  static void poison(void*, size_t) {}
  static void unpoison(void*, size_t) {}
#endif

  std::string model_;
  size_t kernels_left_;
  cudaError_t state_ = cudaSuccess;
  char* base_;
  size_t end_ = 0;
  int depth_ = 0;
  std::recursive_mutex mutex_;
  std::set<Stream*> streams_;
  std::map<const void*, size_t> shared_limit_;
  std::map<size_t, std::vector<char*>> free_;
  std::map<char*, size_t> sizes_;
};

std::vector<std::unique_ptr<Device>> make_devices() {
  const auto setting = [](const char* name, const char* otherwise) {
    const char* value = std::getenv(name);
    return std::string(value ? value : otherwise);
  };
  std::vector<std::unique_ptr<Device>> list;
  if (setting("CUDA_VISIBLE_DEVICES", "all").empty()) return list;
  const std::string models = setting("SKLAR_EMULATED_DEVICES", "9.0"),
                    fault = setting("SKLAR_EMULATED_FAULT", ""), of = fault.substr(0, fault.find(':'));
  for (size_t from = 0; from <= models.size();) {
    const size_t end = std::min(models.find(',', from), models.size());
    const bool fails = std::to_string(list.size()) == of;
    list.push_back(std::make_unique<Device>(models.substr(from, end - from),
                                            fails ? std::stoul(fault.substr(of.size() + 1)) : SIZE_MAX));
    from = end + 1;
  }
  return list;
}

const std::vector<std::unique_ptr<Device>>& devices() {
  static const auto* list = new std::vector<std::unique_ptr<Device>>(make_devices());  // outlives all threads
  return *list;
}
Device& device() { return *devices()[static_cast<size_t>(current)]; }
bool is_device(int i) { return i >= 0 && static_cast<size_t>(i) < devices().size(); }

cudaError_t result(cudaError_t status) {
  if (status != cudaSuccess) last_error = status;
  return status;
}

// What may wait for a device, or change its memory, ends the capture of the thread that calls it.
bool ends_capture() {
  if (!recorded) return false;
  recorded->invalidated = true;
  return true;
}
// The same of what `s` itself cannot record; else what it is given goes into the graph, or waits in the
// stream.
cudaError_t give(cudaStream_t s, Work work) {
  if (!s) return result(device().now(work.run));
  Device* const on = s->stream->device;
  if (s->invalidated) return result(cudaErrorStreamCaptureInvalidated);
  if (on->state() != cudaSuccess) return result(on->state());
  if (s->capture)
    s->capture->work.push_back(std::move(work));
  else
    on->put(*s->stream, std::move(work));
  return cudaSuccess;
}
cudaError_t refuse(cudaStream_t s, cudaError_t status) {
  if (s && s->capture) s->invalidated = true;
  return result(status);
}

// Ranges that a GPU reads and writes by itself: copies from and to them wait their turn.
class Pinned {
 public:
  void* add(size_t bytes) {
    const std::lock_guard lock(mutex_);
    auto* const p = static_cast<char*>(std::malloc(bytes));
    if (p) ranges_[p] = bytes;
    if (p) memset(p, 0xA5, bytes);
    return p;
  }
  bool remove(void* p) {
    const std::lock_guard lock(mutex_);
    if (!ranges_.erase(static_cast<char*>(p))) return false;
    std::free(p);
    return true;
  }
  bool holds(const void* p) {
    const std::lock_guard lock(mutex_);
    auto at = ranges_.upper_bound(static_cast<char*>(const_cast<void*>(p)));
    if (at == ranges_.begin()) return false;
    --at;
    return p < at->first + at->second;
  }

 private:
  std::mutex mutex_;
  std::map<char*, size_t> ranges_;
};
Pinned& pinned() {
  static auto* p = new Pinned;
  return *p;
}

cudaError_t copy(cudaStream_t s, cudaMemcpyKind kind, const void* host, std::function<void()> work) {
  if (kind == cudaMemcpyDeviceToDevice) return give(s, {std::move(work)});
  // a captured copy would read host memory that is gone at replay
  if (s && s->capture) return refuse(s, cudaErrorStreamCaptureUnsupported);
  const cudaError_t status = give(s, {std::move(work)});
  if (status != cudaSuccess || pinned().holds(host) || !s) return status;
  return result(s->stream->device->run(*s->stream));
}

void copy_rows(void* to, size_t to_pitch, const void* from, size_t from_pitch, size_t width, size_t height) {
  for (size_t i = 0; i < height; ++i)
    memcpy(static_cast<char*>(to) + i * to_pitch, static_cast<const char*>(from) + i * from_pitch, width);
}

struct Name {
  cudaError_t error;
  const char *name, *text;
};
constexpr Name names[] = {
    {cudaSuccess, "cudaSuccess", "no error"},
    {cudaErrorMemoryAllocation, "cudaErrorMemoryAllocation", "out of memory"},
    {cudaErrorInvalidConfiguration, "cudaErrorInvalidConfiguration", "invalid configuration argument"},
    {cudaErrorInvalidResourceHandle, "cudaErrorInvalidResourceHandle", "invalid resource handle"},
    {cudaErrorIllegalAddress, "cudaErrorIllegalAddress", "an illegal memory access was encountered"},
    {cudaErrorLaunchFailure, "cudaErrorLaunchFailure", "unspecified launch failure"},
    {cudaErrorStreamCaptureUnsupported, "cudaErrorStreamCaptureUnsupported",
     "operation not permitted when stream is capturing"},
    {cudaErrorStreamCaptureInvalidated, "cudaErrorStreamCaptureInvalidated",
     "operation failed due to a previous error during capture"},
    {cudaErrorUnknown, "cudaErrorUnknown", "unknown error"},
};
const Name& name_of(cudaError_t e) {
  static constexpr Name other = {cudaErrorInvalidValue, "cudaErrorInvalidValue", "invalid argument"};
  for (const Name& n : names)
    if (n.error == e) return n;
  return other;
}

}  // namespace

namespace sklar::emulator {

void launch(const void* kernel, dim3 grid, dim3 block, size_t shared, cudaStream_t s, Kernel body) {
  const Index blocks{grid.x, grid.y, grid.z}, threads{block.x, block.y, block.z};
  if (s && s->stream->device != &device()) return void(refuse(s, cudaErrorInvalidResourceHandle));
  if (!is_launchable(blocks, threads)) return void(refuse(s, cudaErrorInvalidConfiguration));
  if (!device().takes_shared(kernel, shared)) return void(refuse(s, cudaErrorInvalidValue));
  if (!s || !s->capture) ++launched;
  give(s, {[=, body = std::move(body)] { run(blocks, threads, shared, body); }, true});
}

std::size_t launches() { return launched; }

}  // namespace sklar::emulator

const char* cudaGetErrorString(cudaError_t e) { return name_of(e).text; }
const char* cudaGetErrorName(cudaError_t e) { return name_of(e).name; }
cudaError_t cudaGetLastError() {
  const cudaError_t sticky = devices().empty() ? cudaSuccess : device().state();
  const cudaError_t error = sticky != cudaSuccess ? sticky : last_error;
  last_error = cudaSuccess;
  return error;
}
cudaError_t cudaDriverGetVersion(int* v) { return *v = CUDART_VERSION, cudaSuccess; }
cudaError_t cudaRuntimeGetVersion(int* v) { return *v = CUDART_VERSION, cudaSuccess; }
cudaError_t cudaGetDeviceCount(int* n) {
  *n = static_cast<int>(devices().size());
  return result(*n ? cudaSuccess : cudaErrorNoDevice);
}
cudaError_t cudaGetDeviceProperties(cudaDeviceProp* p, int i) {
  if (!is_device(i)) return result(cudaErrorInvalidDevice);
  *p = {"emulated GPU", 0, 0, 1, device_memory};
  return std::sscanf(devices()[static_cast<size_t>(i)]->model().c_str(), "%d.%d", &p->major, &p->minor) == 2
             ? cudaSuccess
             : result(cudaErrorUnknown);
}
cudaError_t cudaSetDevice(int i) {
  if (!is_device(i)) return result(cudaErrorInvalidDevice);
  current = i;
  return cudaSuccess;
}
cudaError_t cudaGetDevice(int* i) { return *i = current, cudaSuccess; }
cudaError_t cudaDeviceGetAttribute(int* value, cudaDeviceAttr what, int i) {
  if (!is_device(i)) return result(cudaErrorInvalidDevice);
  *value = what == cudaDevAttrMultiProcessorCount ? 1 : static_cast<int>(sklar::emulator::most_shared);
  return cudaSuccess;
}
cudaError_t cudaFuncSetAttribute(const void* kernel, cudaFuncAttribute, int value) {
  if (value < 0 || static_cast<size_t>(value) > sklar::emulator::most_shared)
    return result(cudaErrorInvalidValue);
  device().limit_shared(kernel, static_cast<size_t>(value));
  // time for other threads to set it, too
  std::this_thread::sleep_for(std::chrono::microseconds(100));
  return cudaSuccess;
}

cudaError_t cudaMalloc(void** p, size_t bytes) {
  if (ends_capture()) return result(cudaErrorStreamCaptureUnsupported);
  if (device().state() != cudaSuccess) return result(device().state());
  *p = device().allocate(bytes);
  return result(*p ? cudaSuccess : cudaErrorMemoryAllocation);
}
cudaError_t cudaFree(void* p) {
  if (ends_capture()) return result(cudaErrorStreamCaptureUnsupported);
  const cudaError_t status = device().run_all();
  for (const auto& d : devices()) d->release(p);
  return result(status);
}
cudaError_t cudaMallocHost(void** p, size_t bytes) {
  if (ends_capture()) return result(cudaErrorStreamCaptureUnsupported);
  if (device().state() != cudaSuccess) return result(device().state());
  *p = pinned().add(bytes);
  return result(*p ? cudaSuccess : cudaErrorMemoryAllocation);
}
cudaError_t cudaFreeHost(void* p) {
  if (ends_capture()) return result(cudaErrorStreamCaptureUnsupported);
  for (const auto& d : devices()) d->run_all();
  return result(!p || pinned().remove(p) ? cudaSuccess : cudaErrorInvalidValue);
}
cudaError_t cudaMemGetInfo(size_t* free, size_t* total) {
  *total = device_memory;
  *free = device().unused();
  return cudaSuccess;
}

cudaError_t cudaStreamCreateWithFlags(cudaStream_t* s, unsigned) {
  if (device().state() != cudaSuccess) return result(device().state());
  *s = new EmulatedStream{std::make_shared<Stream>(Stream{&device(), {}, 0}), nullptr, false};
  device().attach((*s)->stream.get());
  return cudaSuccess;
}
cudaError_t cudaStreamDestroy(cudaStream_t s) {
  if (!s) return result(cudaErrorInvalidResourceHandle);
  if (recorded == s) recorded = nullptr;
  const cudaError_t status = s->stream->device->run(*s->stream);
  s->stream->device->detach(s->stream.get());
  delete s;
  return result(status);
}
cudaError_t cudaStreamSynchronize(cudaStream_t s) {
  if (!s) return result(device().run_all());
  if (s->capture) return refuse(s, cudaErrorStreamCaptureUnsupported);
  return result(s->stream->device->run(*s->stream));
}
cudaError_t cudaStreamWaitEvent(cudaStream_t s, cudaEvent_t e, unsigned) {
  if (!e->stream) return cudaSuccess;
  if (s->capture) return refuse(s, cudaErrorStreamCaptureUnsupported);  // captures have one stream here
  return give(s, {[from = e->stream, when = e->when] { from->device->run(*from, when); }});
}

cudaError_t cudaEventCreateWithFlags(cudaEvent_t* e, unsigned) { return *e = new EmulatedEvent, cudaSuccess; }
cudaError_t cudaEventRecord(cudaEvent_t e, cudaStream_t s) {
  if (s->capture) return refuse(s, cudaErrorStreamCaptureUnsupported);
  e->stream = s->stream;
  e->when = s->stream->device->length(*s->stream);
  return cudaSuccess;
}
cudaError_t cudaEventSynchronize(cudaEvent_t e) {
  if (ends_capture()) return result(cudaErrorStreamCaptureUnsupported);
  return result(e->stream ? e->stream->device->run(*e->stream, e->when) : cudaSuccess);
}
cudaError_t cudaEventDestroy(cudaEvent_t e) {
  delete e;
  return cudaSuccess;
}

cudaError_t cudaMemcpyAsync(void* to, const void* from, size_t bytes, cudaMemcpyKind kind, cudaStream_t s) {
  return copy(s, kind, kind == cudaMemcpyHostToDevice ? from : to, [=] { memcpy(to, from, bytes); });
}
cudaError_t cudaMemcpy2DAsync(void* to, size_t to_pitch, const void* from, size_t from_pitch, size_t width,
                              size_t height, cudaMemcpyKind kind, cudaStream_t s) {
  if (width > to_pitch || width > from_pitch) return refuse(s, cudaErrorInvalidValue);
  return copy(s, kind, kind == cudaMemcpyHostToDevice ? from : to,
              [=] { copy_rows(to, to_pitch, from, from_pitch, width, height); });
}
cudaError_t cudaMemsetAsync(void* p, int value, size_t bytes, cudaStream_t s) {
  return give(s, {[=] { memset(p, value, bytes); }});
}

cudaError_t cudaStreamBeginCapture(cudaStream_t s, cudaStreamCaptureMode) {
  if (s->capture || recorded) return refuse(s, cudaErrorIllegalState);
  s->capture = std::make_unique<EmulatedGraph>(EmulatedGraph{s->stream->device, {}});
  s->invalidated = false;
  recorded = s;
  return cudaSuccess;
}
cudaError_t cudaStreamEndCapture(cudaStream_t s, cudaGraph_t* graph) {
  *graph = nullptr;
  if (!s->capture || recorded != s) return result(cudaErrorIllegalState);
  recorded = nullptr;
  auto captured = std::move(s->capture);
  if (std::exchange(s->invalidated, false)) return result(cudaErrorStreamCaptureInvalidated);
  *graph = captured.release();
  return cudaSuccess;
}
cudaError_t cudaGraphInstantiate(cudaGraphExec_t* exec, cudaGraph_t graph, unsigned long long) {
  *exec = new EmulatedGraph(*graph);
  return cudaSuccess;
}
cudaError_t cudaGraphLaunch(cudaGraphExec_t exec, cudaStream_t s) {
  if (s->capture || exec->device != s->stream->device) return refuse(s, cudaErrorInvalidValue);
  for (const Work& work : exec->work) {
    if (const cudaError_t status = give(s, work); status != cudaSuccess) return status;
    launched += work.kernel;
  }
  return cudaSuccess;
}
cudaError_t cudaGraphDestroy(cudaGraph_t graph) {
  delete graph;
  return cudaSuccess;
}
cudaError_t cudaGraphExecDestroy(cudaGraphExec_t exec) {
  delete exec;
  return cudaSuccess;
}
