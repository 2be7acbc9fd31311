// A libxsched.so that binds like ours but says what it sees. XSCHED_TEST picks what it does.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

__attribute__((constructor)) static void loaded(void) {
    printf("loaded\n");
    fflush(stdout);
}

static int finish(void *queue) {
    return queue == (void *)5 ? 0 : 1;
}

static int enqueue(void *queue, void *kernel, unsigned dim, const size_t *offset, const size_t *global,
                   const size_t *local, unsigned count, void *const *events, void **event) {
    printf("queue %ld kernel %ld dim %u offset %ld global %ld local %ld count %u events %ld event %ld errno %d\n",
           (long)queue, (long)kernel, dim, (long)offset, (long)global, (long)local, count, (long)events, (long)event,
           errno);
    return 77;
}

// A variadic function reads the number of its vector registers in al.
static int flush(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    vprintf(format, arguments);
    va_end(arguments);
    return 78;
}

// What a called function may destroy.
static void destroy_registers(void) {
    errno = 1234;
    __asm__ volatile("pcmpeqd %%xmm0, %%xmm0\n movaps %%xmm0, %%xmm1\n movaps %%xmm0, %%xmm2\n movaps %%xmm0, %%xmm3\n"
                     "movaps %%xmm0, %%xmm4\n movaps %%xmm0, %%xmm5\n movaps %%xmm0, %%xmm6\n movaps %%xmm0, %%xmm7\n"
                     "mov $-1, %%rax\n mov %%rax, %%rcx\n mov %%rax, %%rdx\n mov %%rax, %%rsi\n mov %%rax, %%rdi\n"
                     "mov %%rax, %%r8\n mov %%rax, %%r9\n mov %%rax, %%r10\n mov %%rax, %%r11\n" ::
                         : "rax", "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11", "xmm0", "xmm1", "xmm2", "xmm3",
                           "xmm4", "xmm5", "xmm6", "xmm7", "memory");
}

int xsched_shim_bind(uint32_t abi, const char *platform, const char *self_dir, const char *const *names, size_t count,
                     void **table) {
    const char *todo = getenv("XSCHED_TEST");
    todo = todo ? todo : "";
    int is_aligned = ((uintptr_t)__builtin_frame_address(0) & 15) == 0;
    printf("bind %u %s %s %zu %s..%s%s\n", abi, platform, self_dir, count, names[0], names[count - 1],
           is_aligned ? "" : " misaligned");
    fflush(stdout);
    if (!strcmp(todo, "refuse"))
        return 3;
    if (!strcmp(todo, "slow"))
        usleep(200 * 1000);
    const char *path = getenv("XSCHED_TEST_REAL");
    void *real = path ? dlopen(path, RTLD_NOW | RTLD_LOCAL) : NULL;
    if (path && !real) {
        printf("%s\n", dlerror());
        return 4;
    }
    for (size_t i = 0; i < count; i++) {
        void *to = real ? dlsym(real, names[i]) : NULL;
        if (!strcmp(todo, "record") || !strcmp(todo, "slow")) {
            if (!strcmp(names[i], "clEnqueueNDRangeKernel"))
                to = enqueue;
            else if (!strcmp(names[i], "clFlush"))
                to = flush;
            else if (!strcmp(names[i], "clFinish"))
                to = finish;
        }
        if (to)
            __atomic_store_n(&table[i], to, __ATOMIC_RELEASE);
    }
    destroy_registers();
    return 0;
}
