// Lets an addon that was linked against a recent glibc load on 2.28 and later, the oldest that Node runs on.
//
// glibc has several versions of some functions: those whose errors changed (exp), and those that moved from
// libpthread, libdl and librt to libc in 2.34. A linker takes the newest, also for what libstdc++.a and the
// CUDA runtime call. Here each has a definition that nobody outside sees and that jumps to the oldest
// version. `npm run check:addon` names what is missing in this list.
#if defined(__linux__) && (defined(__x86_64__) || defined(__aarch64__))
#include <features.h>
#endif

#ifdef __GLIBC__

#if defined(__x86_64__)
#define BASE "GLIBC_2.2.5"
#define JUMP(name) "endbr64\n jmp *" name "@GOTPCREL(%rip)\n"
constexpr int status_version = 1;
#else
#define BASE "GLIBC_2.17"
#define JUMP(name) "hint 34\n adrp x16, :got:" name "\n ldr x16, [x16, :got_lo12:" name "]\n br x16\n"
constexpr int status_version = 0;
#endif

#define OLD_VERSION(name, version)                                                                 \
  __asm__(".symver old_" #name ", " #name "@" version                                              \
          "\n"                                                                                     \
          ".pushsection .text.old_" #name                                                          \
          ", \"ax\", %progbits\n"                                                                  \
          ".globl " #name "\n .hidden " #name "\n .type " #name ", %function\n .p2align 4\n" #name \
          ":\n" JUMP("old_" #name) ".size " #name ", . - " #name                                   \
                                   "\n"                                                            \
                                   ".popsection\n")
#define OLD(name) OLD_VERSION(name, BASE)

OLD(exp);
OLD(exp2);
OLD(hypot);
OLD(log);
OLD(log2);
OLD(pow);
OLD(dlclose);
OLD(dlerror);
OLD(dlopen);
OLD(dlsym);
OLD(dlvsym);
#if defined(__x86_64__)
OLD_VERSION(dlmopen, "GLIBC_2.3.4");
#else
OLD(dlmopen);
#endif
OLD(__pthread_key_create);
OLD(pthread_condattr_setpshared);
OLD(pthread_create);
OLD(pthread_detach);
OLD(pthread_getspecific);
OLD(pthread_join);
OLD(pthread_key_create);
OLD(pthread_key_delete);
OLD(pthread_kill);
OLD(pthread_mutex_trylock);
OLD(pthread_mutexattr_destroy);
OLD(pthread_mutexattr_init);
OLD(pthread_mutexattr_setpshared);
OLD(pthread_mutexattr_settype);
OLD(pthread_once);
OLD(pthread_rwlock_destroy);
OLD(pthread_rwlock_init);
OLD(pthread_rwlock_rdlock);
OLD(pthread_rwlock_timedrdlock);
OLD(pthread_rwlock_timedwrlock);
OLD(pthread_rwlock_tryrdlock);
OLD(pthread_rwlock_trywrlock);
OLD(pthread_rwlock_unlock);
OLD(pthread_rwlock_wrlock);
OLD(pthread_rwlockattr_destroy);
OLD(pthread_rwlockattr_init);
OLD(pthread_rwlockattr_setpshared);
OLD(pthread_setspecific);
OLD(pthread_spin_destroy);
OLD(pthread_spin_init);
OLD(pthread_spin_lock);
OLD(pthread_spin_trylock);
OLD(pthread_spin_unlock);
OLD(sem_destroy);
OLD(sem_init);
OLD(sem_post);
OLD(sem_timedwait);
OLD(sem_trywait);
OLD(sem_wait);
OLD(shm_open);
OLD(shm_unlink);

extern "C" {
/** Since 2.32: whether locks can be left out. */
__attribute__((visibility("hidden"))) char __libc_single_threaded = 0;

/** Since 2.33; before, callers of fstat64 were compiled to call this. */
int old_status(int version, int descriptor, void* status);
__asm__(".symver old_status, __fxstat64@" BASE);
__attribute__((visibility("hidden"))) int new_status(int descriptor, void* status) __asm__("fstat64");
int new_status(int descriptor, void* status) { return old_status(status_version, descriptor, status); }
}

#endif
