// A vendor's library which calls OpenCL while it is being loaded.
#include <stdio.h>

int clGetPlatformIDs(unsigned, void **, unsigned *);

__attribute__((constructor)) static void on_load(void) {
    printf("constructor %d\n", clGetPlatformIDs(0, (void **)0, (unsigned *)0));
    fflush(stdout);
}

int clFinish(void *queue) {
    return queue == (void *)5 ? 0 : 1;
}
