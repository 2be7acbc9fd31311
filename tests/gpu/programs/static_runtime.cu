// A program of the CUDA runtime, linked statically: blocking calls, streams, a graph, managed memory, per-thread default streams by name.
#include <cstdio>
#include <cstdint>
#include <vector>

#define CHECK(call) do { cudaError_t e = (call); if (e != cudaSuccess) { std::printf("%s: %s\n", #call, cudaGetErrorName(e)); return 1; } } while (0)

__global__ void step(uint32_t *data, int n, uint32_t value) {
    for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < n; i += gridDim.x * blockDim.x) data[i] = data[i] * 3 + value;
}

static uint64_t hash(const std::vector<uint32_t> &data) {
    uint64_t h = 0xcbf29ce484222325u;
    for (uint32_t v : data) h = (h ^ v) * 0x100000001b3u;
    return h;
}

int main() {
    const int n = 1 << 16;
    std::vector<uint32_t> host(n, 1);
    uint32_t *data;
    CHECK(cudaMalloc(&data, n * 4));
    CHECK(cudaMemcpy(data, host.data(), n * 4, cudaMemcpyHostToDevice));
    cudaStream_t stream;
    CHECK(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking));
    for (int i = 0; i < 200; i++) step<<<64, 128>>>(data, n, i);
    CHECK(cudaDeviceSynchronize());
    for (int i = 0; i < 200; i++) step<<<64, 128, 0, cudaStreamPerThread>>>(data, n, i);
    CHECK(cudaStreamSynchronize(cudaStreamPerThread));
    cudaGraph_t graph;
    cudaGraphExec_t exec;
    CHECK(cudaStreamBeginCapture(stream, cudaStreamCaptureModeGlobal));
    for (int i = 0; i < 5; i++) step<<<64, 128, 0, stream>>>(data, n, i);
    CHECK(cudaStreamEndCapture(stream, &graph));
    CHECK(cudaGraphInstantiate(&exec, graph, 0));
    for (int i = 0; i < 50; i++) CHECK(cudaGraphLaunch(exec, stream));
    CHECK(cudaMemcpyAsync(host.data(), data, n * 4, cudaMemcpyDeviceToHost, stream));
    CHECK(cudaStreamSynchronize(stream));
    std::printf("data %016llx\n", (unsigned long long)hash(host));
    step<<<0, 128>>>(data, n, 1);
    std::printf("bad launch %s\n", cudaGetErrorName(cudaGetLastError()));
    std::printf("bad device %s\n", cudaGetErrorName(cudaSetDevice(99)));
    return 0;
}
