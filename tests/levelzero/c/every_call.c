// Calls every function that is named on the input, each in a process of its own, with nothing but zeroes and with nothing but the address of
// zeroed memory, and says what came of it: the result, or the signal. Which driver answers is the caller's to choose.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

typedef unsigned (*function)(uintptr_t, uintptr_t, uintptr_t, uintptr_t, uintptr_t, uintptr_t, uintptr_t, uintptr_t, uintptr_t,
                             uintptr_t, uintptr_t, uintptr_t);

static unsigned call(const char *name, uintptr_t a) {
    void *loader = dlopen("libze_loader.so.1", RTLD_NOW);
    unsigned (*init)(unsigned) = (unsigned (*)(unsigned))dlsym(loader, "zeInit");
    function f = (function)dlsym(loader, name);
    if (!init || !f)
        return 0xdead;
    init(0);
    return f(a, a, a, a, a, a, a, a, a, a, a, a);
}

int main(void) {
    char name[128];
    // What a child finds out: shared with its parent.
    unsigned *result = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
    while (scanf("%127s", name) == 1) {
        for (int pattern = 0; pattern < 2; pattern++) {
            fflush(stdout);
            *result = 0xbad;
            pid_t pid = fork();
            if (pid == 0) {
                // Below 4 GiB, at the same place each time, so that numbers made of the address are the same.
                void *memory = mmap((void *)0x10000000, 1 << 20, PROT_READ | PROT_WRITE,
                                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
                *result = call(name, pattern ? (uintptr_t)memory : 0);
                _exit(0);
            }
            int status = 0;
            waitpid(pid, &status, 0);
            if (WIFSIGNALED(status))
                printf("%s %d signal %d\n", name, pattern, WTERMSIG(status));
            else
                printf("%s %d %x\n", name, pattern, *result);
        }
    }
    return 0;
}
