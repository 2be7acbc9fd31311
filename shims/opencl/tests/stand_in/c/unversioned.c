// A libOpenCL.so.1 as some vendors ship it: the names without versions. Only for linking.
#define NAME(name) void name(void) {}
NAME(clGetPlatformIDs)
NAME(clGetPlatformInfo)
NAME(clCreateContext)
NAME(clEnqueueMapImage)
NAME(clSVMAlloc)
NAME(clEnqueueNDRangeKernel)
NAME(clFlush)
NAME(clFinish)
