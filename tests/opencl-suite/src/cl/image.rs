//! Images, samplers, and the commands on them.

use super::{After, Bytes, Code, Context, Event, Mem, Queue, Result, call, handle};
use opencl_sys::{
    CL_MEM_OBJECT_IMAGE1D, CL_MEM_OBJECT_IMAGE2D, CL_MEM_OBJECT_IMAGE2D_ARRAY, CL_MEM_OBJECT_IMAGE3D,
    CL_RGBA, CL_SAMPLER_REFERENCE_COUNT, CL_UNSIGNED_INT8, cl_image_desc, cl_image_format,
};
use std::ptr;

handle!(
    /// A sampler.
    Sampler,
    clRetainSampler,
    clReleaseSampler,
    clGetSamplerInfo,
    CL_SAMPLER_REFERENCE_COUNT
);

impl Sampler {
    /// Unnormalized coordinates, as programs before OpenCL 2.0 make it.
    #[allow(deprecated, reason = "still what most programs call")]
    pub(crate) fn new(context: &Context, addressing: u32, filter: u32) -> Result<Self> {
        let mut code = 0;
        let raw = call!(clCreateSampler(context.raw(), 0, addressing, filter, &mut code));
        Self::made(raw, code)
    }
}

/// What image to make.
#[derive(Clone, Copy)]
pub(crate) struct Image {
    pub(crate) kind: u32,
    /// Width, height, depth (or layers), in pixels; 1 where the kind has no such dimension.
    pub(crate) size: [usize; 3],
    pub(crate) order: u32,
    pub(crate) channel: u32,
}

impl Image {
    /// Bytes of a pixel of the default format.
    pub(crate) const PIXEL: usize = 4;

    fn rgba(kind: u32, size: [usize; 3]) -> Self {
        Self { kind, size, order: CL_RGBA, channel: CL_UNSIGNED_INT8 }
    }

    pub(crate) fn line(width: usize) -> Self {
        Self::rgba(CL_MEM_OBJECT_IMAGE1D, [width, 1, 1])
    }

    pub(crate) fn flat(width: usize, height: usize) -> Self {
        Self::rgba(CL_MEM_OBJECT_IMAGE2D, [width, height, 1])
    }

    pub(crate) fn layers(width: usize, height: usize, layers: usize) -> Self {
        Self::rgba(CL_MEM_OBJECT_IMAGE2D_ARRAY, [width, height, layers])
    }

    pub(crate) fn solid(width: usize, height: usize, depth: usize) -> Self {
        Self::rgba(CL_MEM_OBJECT_IMAGE3D, [width, height, depth])
    }

    /// Bytes of the whole image, tightly packed.
    pub(crate) fn bytes(&self) -> usize {
        self.size.iter().product::<usize>() * Self::PIXEL
    }

    pub(super) fn description(&self) -> cl_image_desc {
        let layers = if self.kind == CL_MEM_OBJECT_IMAGE2D_ARRAY { self.size[2] } else { 0 };
        cl_image_desc {
            image_type: self.kind,
            image_width: self.size[0],
            image_height: self.size[1],
            image_depth: self.size[2],
            image_array_size: layers,
            image_row_pitch: 0,
            image_slice_pitch: 0,
            num_mip_levels: 0,
            num_samples: 0,
            buffer: ptr::null_mut(),
        }
    }

    pub(super) fn format(&self) -> cl_image_format {
        cl_image_format { image_channel_order: self.order, image_channel_data_type: self.channel }
    }

    /// Makes the image.
    pub(crate) fn make(&self, context: &Context, flags: u64, host: Option<Bytes>) -> Result<Mem> {
        let mut code = 0;
        let description = self.description();
        let (format, context) = (self.format(), context.raw());
        let host = host.map_or(ptr::null_mut(), |host| host.at());
        let raw = call!(clCreateImage(context, flags, &format, &description, host, &mut code));
        Mem::made(raw, code)
    }

    /// Makes the image with the functions of OpenCL 1.1.
    #[allow(deprecated, reason = "programs still call them")]
    pub(crate) fn make_old(&self, context: &Context, flags: u64) -> Result<Mem> {
        let mut code = 0;
        let (mut format, context, none) = (self.format(), context.raw(), ptr::null_mut());
        let [width, height, depth] = self.size;
        let raw = if self.kind == CL_MEM_OBJECT_IMAGE3D {
            call!(clCreateImage3D(context, flags, &mut format, width, height, depth, 0, 0, none, &mut code))
        } else {
            call!(clCreateImage2D(context, flags, &mut format, width, height, 0, none, &mut code))
        };
        Mem::made(raw, code)
    }

    /// How many formats the context supports for 2D images.
    pub(crate) fn formats(context: &Context, flags: u64) -> Result<u32> {
        let mut count = 0;
        let (context, kind) = (context.raw(), CL_MEM_OBJECT_IMAGE2D);
        Code(call!(clGetSupportedImageFormats(context, flags, kind, 0, ptr::null_mut(), &mut count))).ok()?;
        Ok(count)
    }
}

impl Queue {
    pub(crate) fn read_image(
        &self,
        image: &Mem,
        blocking: bool,
        origin: [usize; 3],
        region: [usize; 3],
        to: Option<Bytes>,
        order: After<'_>,
    ) -> Result<Event> {
        let (queue, image, blocking) = (self.raw(), image.raw(), blocking.into());
        let (origin, region) = (origin.as_ptr(), region.as_ptr());
        let to = to.map_or(ptr::null_mut(), |to| to.at());
        order.enqueue(|count, list, event| {
            call!(clEnqueueReadImage(queue, image, blocking, origin, region, 0, 0, to, count, list, event))
        })
    }

    pub(crate) fn write_image(
        &self,
        image: &Mem,
        blocking: bool,
        origin: [usize; 3],
        region: [usize; 3],
        from: Option<Bytes>,
        order: After<'_>,
    ) -> Result<Event> {
        let (queue, image, blocking) = (self.raw(), image.raw(), blocking.into());
        let (origin, region) = (origin.as_ptr(), region.as_ptr());
        let from = from.map_or(ptr::null_mut(), |from| from.at());
        order.enqueue(|count, list, event| {
            call!(clEnqueueWriteImage(queue, image, blocking, origin, region, 0, 0, from, count, list, event))
        })
    }

    /// Fills a region with one colour of an unsigned integer format.
    pub(crate) fn fill_image(
        &self,
        image: &Mem,
        colour: [u32; 4],
        origin: [usize; 3],
        region: [usize; 3],
        order: After<'_>,
    ) -> Result<Event> {
        let (queue, image) = (self.raw(), image.raw());
        let (colour, origin, region) = (colour.as_ptr().cast(), origin.as_ptr(), region.as_ptr());
        order.enqueue(|count, list, event| {
            call!(clEnqueueFillImage(queue, image, colour, origin, region, count, list, event))
        })
    }

    pub(crate) fn copy_image(
        &self,
        from: (&Mem, [usize; 3]),
        to: (&Mem, [usize; 3]),
        region: [usize; 3],
        order: After<'_>,
    ) -> Result<Event> {
        let (queue, source, target) = (self.raw(), from.0.raw(), to.0.raw());
        let (source_at, target_at, region) = (from.1.as_ptr(), to.1.as_ptr(), region.as_ptr());
        order.enqueue(|count, list, event| {
            call!(clEnqueueCopyImage(queue, source, target, source_at, target_at, region, count, list, event))
        })
    }

    pub(crate) fn image_to_buffer(
        &self,
        from: (&Mem, [usize; 3]),
        to: (&Mem, usize),
        region: [usize; 3],
        order: After<'_>,
    ) -> Result<Event> {
        let (queue, source, target) = (self.raw(), from.0.raw(), to.0.raw());
        let (at, region, offset) = (from.1.as_ptr(), region.as_ptr(), to.1);
        order.enqueue(|count, list, event| {
            call!(clEnqueueCopyImageToBuffer(queue, source, target, at, region, offset, count, list, event))
        })
    }

    pub(crate) fn buffer_to_image(
        &self,
        from: (&Mem, usize),
        to: (&Mem, [usize; 3]),
        region: [usize; 3],
        order: After<'_>,
    ) -> Result<Event> {
        let (queue, source, target) = (self.raw(), from.0.raw(), to.0.raw());
        let (offset, at, region) = (from.1, to.1.as_ptr(), region.as_ptr());
        order.enqueue(|count, list, event| {
            call!(clEnqueueCopyBufferToImage(queue, source, target, offset, at, region, count, list, event))
        })
    }

    /// Maps a region; returns the address as a view of `rows * pitch` bytes, the row pitch, and the event.
    pub(crate) fn map_image(
        &self,
        image: &Mem,
        blocking: bool,
        flags: u64,
        origin: [usize; 3],
        region: [usize; 3],
        order: After<'_>,
    ) -> Result<(Bytes, usize, Event)> {
        let (queue, image, blocking) = (self.raw(), image.raw(), blocking.into());
        let (mut at, mut row, mut slice) = (ptr::null_mut(), 0, 0);
        let (origin, rows) = (origin.as_ptr(), region[1]);
        let width = region[0] * Image::PIXEL;
        let region = region.as_ptr();
        let event = order.enqueue(|count, list, event| {
            let mut code = 0;
            at = call!(clEnqueueMapImage(
                queue, image, blocking, flags, origin, region, &mut row, &mut slice, count, list, event,
                &mut code
            ));
            code
        })?;
        Ok((Bytes::view(at, row * rows.saturating_sub(1) + width), row, event))
    }
}
