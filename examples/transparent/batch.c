/* Nobody waits for this one: kernels of 5 ms, four at a time, for some seconds or until it is ended. It knows nothing of XSched.
 * batch [SECONDS] */
#include "device.h"
#include "times.h"

int main(int argc, char **argv) {
    double seconds = argc > 1 ? atof(argv[1]) : 1e9;
    int kernels = 0;
    device_open();
    Stream stream = stream_open();
    double begun = now_ms();
    while (now_ms() - begun < seconds * 1e3) {
        for (int i = 0; i < 4; i++) MUST(spin(stream, 5000));
        MUST(finish(stream));
        kernels += 4;
    }
    printf("%.1f kernels/s\n", kernels / ((now_ms() - begun) / 1e3));
    stream_close(stream);
    return 0;
}
