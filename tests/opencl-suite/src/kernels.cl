// The kernels of the suite: OpenCL C 1.1, integers only, so that every device computes the same bits.

kernel void empty(void) {}

// One element per work-item; several steps on one buffer show the order in which they ran.
kernel void affine(global uint *data, uint factor, uint addend)
{
    size_t i = get_global_id(0);
    data[i] = data[i] * factor + addend;
}

kernel void add(global const uint *a, global const uint *b, global uint *sum)
{
    size_t i = get_global_id(0);
    sum[i] = a[i] + b[i];
}

// Takes time in proportion to `rounds`.
kernel void spin(global uint *data, uint rounds)
{
    size_t i = get_global_id(0);
    uint x = data[i];
    for (uint round = 0; round < rounds; round++)
        x = x * 1664525u + 1013904223u;
    data[i] = x;
}

kernel void count(global uint *counter)
{
    atomic_inc(counter);
}

// Reverses each group's elements through local memory.
kernel void reverse(global uint *data, local uint *scratch)
{
    size_t mine = get_local_id(0);
    scratch[mine] = data[get_global_id(0)];
    barrier(CLK_LOCAL_MEM_FENCE);
    data[get_global_id(0)] = scratch[get_local_size(0) - 1 - mine];
}

// Where each work-item is, in a buffer that is linear in the range without its offset.
kernel void where(global uint *place)
{
    size_t x = get_global_id(0) - get_global_offset(0);
    size_t y = get_global_id(1) - get_global_offset(1);
    size_t z = get_global_id(2) - get_global_offset(2);
    size_t i = (z * get_global_size(1) + y) * get_global_size(0) + x;
    place[i] = (uint)(get_global_id(0) | get_global_id(1) << 8 | get_global_id(2) << 16);
}

// Arguments of other kinds than pointers and numbers of four bytes.
typedef struct { uint first; uint second; } pair;
kernel void kinds(global uint *out, pair both, uchar small, ulong large, uint4 vector)
{
    out[0] = both.first;
    out[1] = both.second;
    out[2] = small;
    out[3] = (uint)large;
    out[4] = (uint)(large >> 32);
    vstore4(vector, 0, out + 5);
}

kernel __attribute__((reqd_work_group_size(16, 1, 1))) void sixteen(global uint *data)
{
    data[get_global_id(0)] = (uint)get_local_size(0);
}

#ifdef __IMAGE_SUPPORT__
// Adds one to every channel, at the mirrored place.
kernel void mirror(read_only image2d_t from, write_only image2d_t to, sampler_t how)
{
    int2 at = (int2)(get_global_id(0), get_global_id(1));
    int2 other = (int2)((int)get_global_size(0) - 1 - at.x, at.y);
    write_imageui(to, other, (read_imageui(from, how, at) + (uint4)(1)) & (uint4)(255));
}
#endif

// Prints through the driver, in one work-item so that there is one order.
kernel void say(uint number)
{
    printf("kernel says %u\n", number);
}
