// An OpenCL program. Its argument says what it does; it is linked with whichever libOpenCL.so.1 the test says.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

int clGetPlatformIDs(unsigned, void **, unsigned *);
int clGetPlatformInfo(void *, unsigned, size_t, void *, size_t *);
void *clCreateContext(const intptr_t *, unsigned, void *const *, void *, void *, int *);
void *clEnqueueMapImage(void *, void *, unsigned, uint64_t, const size_t *, const size_t *, size_t *, size_t *,
                        unsigned, void *const *, void **, int *);
void *clSVMAlloc(void *, uint64_t, size_t, unsigned);
int clEnqueueNDRangeKernel(void *, void *, unsigned, const size_t *, const size_t *, const size_t *, unsigned,
                           void *const *, void **);
int clFlush(void *);
int clFinish(void *);

static void platforms(void) {
    void *ids[8] = {0};
    unsigned count = 99;
    int result = clGetPlatformIDs(8, ids, &count);
    printf("clGetPlatformIDs %d %u\n", result, count);
    for (unsigned i = 0; result == 0 && i < count && i < 8; i++) {
        char name[256] = "";
        result = clGetPlatformInfo(ids[i], 0x0902 /* CL_PLATFORM_NAME */, sizeof name, name, NULL);
        printf("clGetPlatformInfo %d %s\n", result, name);
    }
}

static void arguments(void) {
    errno = 42;
    int result = clEnqueueNDRangeKernel((void *)1, (void *)2, 3, (void *)4, (void *)5, (void *)6, 7, (void *)8, (void *)9);
    printf("result %d errno %d\n", result, errno);
}

static void variadic(void) {
    int (*flush)(const char *, ...) = (int (*)(const char *, ...))clFlush;
    int result = flush("%d %d %d %d %d %d %d %g %g %g %g %g %g %g %g %g\n", 1, 2, 3, 4, 5, 6, 7, 1.5, 2.5, 3.5, 4.5, 5.5,
                       6.5, 7.5, 8.5, 9.5);
    printf("result %d\n", result);
}

static void nothing_there(void) {
    errno = 42;
    platforms();
    int error = 1;
    void *object = clCreateContext(NULL, 0, NULL, NULL, NULL, &error);
    printf("clCreateContext %p %d\n", object, error);
    error = 1;
    object = clEnqueueMapImage(NULL, NULL, 0, 0, NULL, NULL, NULL, NULL, 0, NULL, NULL, &error);
    printf("clEnqueueMapImage %p %d\n", object, error);
    printf("clCreateContext %p\n", clCreateContext(NULL, 0, NULL, NULL, NULL, NULL));
    printf("clSVMAlloc %p\n", clSVMAlloc(NULL, 0, 1, 0));
    printf("clFinish %d\n", clFinish(NULL));
    printf("errno %d\n", errno);
}

static pthread_barrier_t barrier;

static void *finish_behind_barrier(void *unused) {
    pthread_barrier_wait(&barrier);
    return (void *)(intptr_t)clFinish((void *)5);
}

static void threads(void) {
    enum { COUNT = 16 };
    pthread_t threads[COUNT];
    pthread_barrier_init(&barrier, NULL, COUNT);
    for (int i = 0; i < COUNT; i++)
        pthread_create(&threads[i], NULL, finish_behind_barrier, NULL);
    int right = 0;
    for (int i = 0; i < COUNT; i++) {
        void *result = (void *)1;
        pthread_join(threads[i], &result);
        right += result == NULL;
    }
    printf("%d right\n", right);
}

static void *finish(void *unused) {
    return (void *)(intptr_t)clFinish((void *)5);
}

// Forks while another thread makes the first call.
static void fork_meanwhile(void) {
    pthread_t thread;
    pthread_create(&thread, NULL, finish, NULL);
    usleep(100 * 1000);
    pid_t child = fork();
    if (child == 0) {
        int result = clFinish((void *)5);
        printf("child %d\n", result);
        fflush(stdout);
        _exit(0);
    }
    waitpid(child, NULL, 0);
    void *result = (void *)1;
    pthread_join(thread, &result);
    printf("parent %ld\n", (long)(intptr_t)result);
}

// Looks the library up at run time, by each of its names, and lets it go too early.
static void dynamic(void) {
    const char *names[] = {"libOpenCL.so.1", "libOpenCL.so"};
    for (int i = 0; i < 2; i++) {
        void *library = dlopen(names[i], RTLD_NOW);
        int (*finish)(void *) = (int (*)(void *))dlsym(library, "clFinish");
        int is_versioned = dlvsym(library, "clFinish", "OPENCL_1.0") == (void *)finish;
        dlclose(library);
        dlclose(library);
        printf("%s %d %d\n", names[i], is_versioned, finish((void *)5));
    }
}

int main(int argc, char **argv) {
    const char *todo = argc > 1 ? argv[1] : "";
    struct { const char *name; void (*run)(void); } all[] = {
        {"platforms", platforms}, {"arguments", arguments}, {"variadic", variadic}, {"nothing-there", nothing_there},
        {"threads", threads},     {"fork", fork_meanwhile}, {"dynamic", dynamic},
    };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (!strcmp(all[i].name, todo))
            all[i].run();
    return 0;
}
