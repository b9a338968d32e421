#pragma once

// Runs CUDA kernels on the host: the kernel sources are compiled as C++ with this folder's cuda_runtime.h in
// the place of the real one. A thread of a block runs until it meets a barrier or a warp collective and is
// then parked on its fiber. For tests, not for speed. The schedule is adversarial: a warp runs alone until it
// meets a barrier of the block or an atomic operation, lanes run in random order between collectives, blocks
// in random order, some at a time and in turn, shared memory starts as garbage, so that a missing barrier
// shows as wrong results for some seed.

#include <cstddef>
#include <cstdint>
#include <functional>

namespace sklar::emulator {

struct Index {
  unsigned x = 0, y = 0, z = 0;
};

// What the running thread is.
extern constinit thread_local Index thread_index, block_index, block_size, grid_size;

// Of a block: without asking, and at most.
inline constexpr std::size_t usual_shared = 48 * 1024, most_shared = 227 * 1024;

bool is_launchable(Index grid, Index block);

using Kernel = std::function<void()>;
// Throws std::logic_error for a deadlock, a collective that not all lanes of a warp reach, or a launch that
// no GPU takes.
void run(Index grid, Index block, std::size_t shared_bytes, const Kernel& kernel);

void set_seed(std::uint32_t seed);  // of the schedule
// Barriers that are left out, counted from 0 over the life of a thread, to see that tests notice: a mutation.
void skip_barrier(int which);       // -1: none
void skip_warp_barrier(int which);  // the same of __syncwarp

std::size_t launches();  // of kernels by this thread, so far

void preempt();  // by other warps and blocks, or not

unsigned char* shared_memory();

// Asynchronous copies of the calling thread (cp.async). What they are to fill is garbage from the call on,
// and arrives, read at that time, no sooner than the thread waits for its group; a thread that ends without
// having waited has copied nothing. Of the `bytes` to fill (4, 8, 16) `given` come from memory, the others
// are zero.
void copy_async(void* shared, const void* from, std::size_t bytes, std::size_t given);
void commit_copies();
void wait_for_copies(int newest);  // but for these last groups; -1: for all, those of no group too

enum class Collective { none, block_barrier, warp_barrier, shuffle, load_matrix, multiply };
// Parks the calling thread until all lanes of its warp (all threads of its block, for block_barrier) are
// there; `exchange` is then called once with the arguments of lanes 0..31.
void meet(Collective kind, void* argument, void (*exchange)(void* const* lanes));

}  // namespace sklar::emulator
