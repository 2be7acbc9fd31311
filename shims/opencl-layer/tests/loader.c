// Loads a layer as an OpenCL loader does: `loader LAYER FUNCTION COUNT` offers COUNT functions and prints how many the layer answers with, and
// which are not the loader's own.
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>

int main(int count, char **arguments) {
    void *layer = dlopen(arguments[1], RTLD_LAZY | RTLD_LOCAL);
    if (count != 4 || !layer)
        return 9;
    int (*init)(unsigned, void *const *, unsigned *, void *const **) = dlsym(layer, arguments[2]);
    unsigned offered = atoi(arguments[3]), answered = 0;
    void **functions = calloc(offered + 1, sizeof *functions);
    void *const *answer = NULL;
    // No addresses at all, but nobody calls them here.
    for (unsigned i = 0; i < offered; i++)
        functions[i] = (void *)(16UL * (i + 1));
    printf("code %d", init(offered, offered ? functions : NULL, &answered, &answer));
    printf(" answered %u", answered);
    for (unsigned i = 0; i < answered; i++)
        if (answer[i] != functions[i])
            printf(" %u is %p", i, answer[i]);
    printf("\n");
    return 0;
}
