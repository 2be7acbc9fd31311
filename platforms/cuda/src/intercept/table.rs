//! The table: one row for each function that takes a stream, and for those that use one without saying so, or from which we learn.
//!
//! A row says how the function is handled, or why it is not. A test compares the rows with `stream-functions.txt`, which is generated from the
//! driver's exports and NVIDIA's headers. A plain command needs no more than its row under `by submit::launch`: the arguments by
//! name, and the stream that is meant. The twins in `_ptsz` and `_ptds` differ from the plain functions in what a null stream means.

use super::{capture, context, event, ipc, kernel, resolve, stream, submit};
use crate::stream::Named;
use std::ffi::CStr;

/// The name of every function in the table, with the reason where it is not gated.
pub fn functions() -> impl Iterator<Item = (&'static CStr, Option<&'static str>)> {
    ROWS.iter().map(|row| (row.name, row.bypass))
}

/// What a plain function means by its stream.
#[inline]
fn plain(stream: usize) -> Named {
    Named::plain(stream)
}

/// What a function of per-thread default streams means by it.
#[inline]
fn per_thread(stream: usize) -> Named {
    Named::per_thread(stream)
}

xsched_runtime::rows! {
    places [0];
    by submit::launch {
        // Kernels
        cuLaunchKernel(function grid_dim_x grid_dim_y grid_dim_z block_dim_x block_dim_y block_dim_z shared_mem_bytes stream kernel_params extra) => plain(stream);
        cuLaunchKernel_ptsz(function grid_dim_x grid_dim_y grid_dim_z block_dim_x block_dim_y block_dim_z shared_mem_bytes stream kernel_params extra) => per_thread(stream);
        cuLaunchCooperativeKernel(function grid_dim_x grid_dim_y grid_dim_z block_dim_x block_dim_y block_dim_z shared_mem_bytes stream kernel_params) => plain(stream);
        cuLaunchCooperativeKernel_ptsz(function grid_dim_x grid_dim_y grid_dim_z block_dim_x block_dim_y block_dim_z shared_mem_bytes stream kernel_params) => per_thread(stream);
        cuLaunchKernelEx(config function kernel_params extra) => plain(kernel::stream_of_config(config));
        cuLaunchKernelEx_ptsz(config function kernel_params extra) => per_thread(kernel::stream_of_config(config));
        cuLaunchCooperativeKernelMultiDevice(launches count flags) => plain(kernel::stream_of_first(launches));
        cuLaunch(function) => plain(0);
        cuLaunchGrid(function grid_width grid_height) => plain(0);
        cuLaunchGridAsync(function grid_width grid_height stream) => plain(stream);

        // Graphs
        cuGraphLaunch(graph stream) => plain(stream);
        cuGraphLaunch_ptsz(graph stream) => per_thread(stream);
        cuGraphUpload(graph stream) => plain(stream);
        cuGraphUpload_ptsz(graph stream) => per_thread(stream);

        // Copies
        cuMemcpy2DAsync(p_copy stream) => plain(stream);
        cuMemcpy2DAsync_v2(p_copy stream) => plain(stream);
        cuMemcpy2DAsync_v2_ptsz(p_copy stream) => per_thread(stream);
        cuMemcpy3DAsync(p_copy stream) => plain(stream);
        cuMemcpy3DAsync_v2(p_copy stream) => plain(stream);
        cuMemcpy3DAsync_v2_ptsz(p_copy stream) => per_thread(stream);
        cuMemcpy3DBatchAsync(num_ops op_list fail_idx flags stream) => plain(stream);
        cuMemcpy3DBatchAsync_ptsz(num_ops op_list fail_idx flags stream) => per_thread(stream);
        cuMemcpy3DBatchAsync_v2(num_ops op_list flags stream) => plain(stream);
        cuMemcpy3DBatchAsync_v2_ptsz(num_ops op_list flags stream) => per_thread(stream);
        cuMemcpy3DPeerAsync(p_copy stream) => plain(stream);
        cuMemcpy3DPeerAsync_ptsz(p_copy stream) => per_thread(stream);
        cuMemcpyAsync(dst src byte_count stream) => plain(stream);
        cuMemcpyAsync_ptsz(dst src byte_count stream) => per_thread(stream);
        cuMemcpyAtoHAsync(dst_host src_array src_offset byte_count stream) => plain(stream);
        cuMemcpyAtoHAsync_v2(dst_host src_array src_offset byte_count stream) => plain(stream);
        cuMemcpyAtoHAsync_v2_ptsz(dst_host src_array src_offset byte_count stream) => per_thread(stream);
        cuMemcpyBatchAsync(dsts srcs sizes count attrs attrs_idxs num_attrs fail_idx stream) => plain(stream);
        cuMemcpyBatchAsync_ptsz(dsts srcs sizes count attrs attrs_idxs num_attrs fail_idx stream) => per_thread(stream);
        cuMemcpyBatchAsync_v2(dsts srcs sizes count attrs attrs_idxs num_attrs stream) => plain(stream);
        cuMemcpyBatchAsync_v2_ptsz(dsts srcs sizes count attrs attrs_idxs num_attrs stream) => per_thread(stream);
        cuMemcpyDtoDAsync(dst_device src_device byte_count stream) => plain(stream);
        cuMemcpyDtoDAsync_v2(dst_device src_device byte_count stream) => plain(stream);
        cuMemcpyDtoDAsync_v2_ptsz(dst_device src_device byte_count stream) => per_thread(stream);
        cuMemcpyDtoHAsync(dst_host src_device byte_count stream) => plain(stream);
        cuMemcpyDtoHAsync_v2(dst_host src_device byte_count stream) => plain(stream);
        cuMemcpyDtoHAsync_v2_ptsz(dst_host src_device byte_count stream) => per_thread(stream);
        cuMemcpyHtoAAsync(dst_array dst_offset src_host byte_count stream) => plain(stream);
        cuMemcpyHtoAAsync_v2(dst_array dst_offset src_host byte_count stream) => plain(stream);
        cuMemcpyHtoAAsync_v2_ptsz(dst_array dst_offset src_host byte_count stream) => per_thread(stream);
        cuMemcpyHtoDAsync(dst_device src_host byte_count stream) => plain(stream);
        cuMemcpyHtoDAsync_v2(dst_device src_host byte_count stream) => plain(stream);
        cuMemcpyHtoDAsync_v2_ptsz(dst_device src_host byte_count stream) => per_thread(stream);
        cuMemcpyPeerAsync(dst_device dst_context src_device src_context byte_count stream) => plain(stream);
        cuMemcpyPeerAsync_ptsz(dst_device dst_context src_device src_context byte_count stream) => per_thread(stream);

        // Sets
        cuMemsetD16Async(dst_device us n stream) => plain(stream);
        cuMemsetD16Async_ptsz(dst_device us n stream) => per_thread(stream);
        cuMemsetD2D16Async(dst_device dst_pitch us width height stream) => plain(stream);
        cuMemsetD2D16Async_ptsz(dst_device dst_pitch us width height stream) => per_thread(stream);
        cuMemsetD2D32Async(dst_device dst_pitch ui width height stream) => plain(stream);
        cuMemsetD2D32Async_ptsz(dst_device dst_pitch ui width height stream) => per_thread(stream);
        cuMemsetD2D8Async(dst_device dst_pitch uc width height stream) => plain(stream);
        cuMemsetD2D8Async_ptsz(dst_device dst_pitch uc width height stream) => per_thread(stream);
        cuMemsetD32Async(dst_device ui n stream) => plain(stream);
        cuMemsetD32Async_ptsz(dst_device ui n stream) => per_thread(stream);
        cuMemsetD8Async(dst_device uc n stream) => plain(stream);
        cuMemsetD8Async_ptsz(dst_device uc n stream) => per_thread(stream);

        // Pages and arrays
        cuMemPrefetchAsync(dev_ptr count dst_device stream) => plain(stream);
        cuMemPrefetchAsync_ptsz(dev_ptr count dst_device stream) => per_thread(stream);
        cuMemPrefetchAsync_v2(dev_ptr count location flags stream) => plain(stream);
        cuMemPrefetchAsync_v2_ptsz(dev_ptr count location flags stream) => per_thread(stream);
        cuMemPrefetchBatchAsync(dptrs sizes count prefetch_locs prefetch_loc_idxs num_prefetch_locs flags stream) => plain(stream);
        cuMemPrefetchBatchAsync_ptsz(dptrs sizes count prefetch_locs prefetch_loc_idxs num_prefetch_locs flags stream) => per_thread(stream);
        cuMemDiscardBatchAsync(dptrs sizes count flags stream) => plain(stream);
        cuMemDiscardBatchAsync_ptsz(dptrs sizes count flags stream) => per_thread(stream);
        cuMemDiscardAndPrefetchBatchAsync(dptrs sizes count prefetch_locs prefetch_loc_idxs num_prefetch_locs flags stream) => plain(stream);
        cuMemDiscardAndPrefetchBatchAsync_ptsz(dptrs sizes count prefetch_locs prefetch_loc_idxs num_prefetch_locs flags stream) => per_thread(stream);
        cuMemBatchDecompressAsync(params_array count flags error_index stream) => plain(stream);
        cuMemBatchDecompressAsync_ptsz(params_array count flags error_index stream) => per_thread(stream);
        cuMemMapArrayAsync(map_info_list count stream) => plain(stream);
        cuMemMapArrayAsync_ptsz(map_info_list count stream) => per_thread(stream);
        cuStreamAttachMemAsync(stream dptr length flags) => plain(stream);
        cuStreamAttachMemAsync_ptsz(stream dptr length flags) => per_thread(stream);

        // Graphics
        cuGraphicsMapResources(count resources stream) => plain(stream);
        cuGraphicsMapResources_ptsz(count resources stream) => per_thread(stream);
        cuGraphicsUnmapResources(count resources stream) => plain(stream);
        cuGraphicsUnmapResources_ptsz(count resources stream) => per_thread(stream);
        cuGLMapBufferObjectAsync(dptr size buffer stream) => plain(stream);
        cuGLMapBufferObjectAsync_v2(dptr size buffer stream) => plain(stream);
        cuGLMapBufferObjectAsync_v2_ptsz(dptr size buffer stream) => per_thread(stream);
        cuGLUnmapBufferObjectAsync(buffer stream) => plain(stream);

        // Calls that mean a default stream. They may return before their command is complete: from pageable memory, or within the device
        cuMemcpy(dst src byte_count) => plain(0);
        cuMemcpy2D(p_copy) => plain(0);
        cuMemcpy2DUnaligned(p_copy) => plain(0);
        cuMemcpy2DUnaligned_v2(p_copy) => plain(0);
        cuMemcpy2DUnaligned_v2_ptds(p_copy) => per_thread(0);
        cuMemcpy2D_v2(p_copy) => plain(0);
        cuMemcpy2D_v2_ptds(p_copy) => per_thread(0);
        cuMemcpy3D(p_copy) => plain(0);
        cuMemcpy3DPeer(p_copy) => plain(0);
        cuMemcpy3DPeer_ptds(p_copy) => per_thread(0);
        cuMemcpy3D_v2(p_copy) => plain(0);
        cuMemcpy3D_v2_ptds(p_copy) => per_thread(0);
        cuMemcpyAtoA(dst_array dst_offset src_array src_offset byte_count) => plain(0);
        cuMemcpyAtoA_v2(dst_array dst_offset src_array src_offset byte_count) => plain(0);
        cuMemcpyAtoA_v2_ptds(dst_array dst_offset src_array src_offset byte_count) => per_thread(0);
        cuMemcpyAtoD(dst_device src_array src_offset byte_count) => plain(0);
        cuMemcpyAtoD_v2(dst_device src_array src_offset byte_count) => plain(0);
        cuMemcpyAtoD_v2_ptds(dst_device src_array src_offset byte_count) => per_thread(0);
        cuMemcpyDtoA(dst_array dst_offset src_device byte_count) => plain(0);
        cuMemcpyDtoA_v2(dst_array dst_offset src_device byte_count) => plain(0);
        cuMemcpyDtoA_v2_ptds(dst_array dst_offset src_device byte_count) => per_thread(0);
        cuMemcpyDtoD(dst_device src_device byte_count) => plain(0);
        cuMemcpyDtoD_v2(dst_device src_device byte_count) => plain(0);
        cuMemcpyDtoD_v2_ptds(dst_device src_device byte_count) => per_thread(0);
        cuMemcpyHtoA(dst_array dst_offset src_host byte_count) => plain(0);
        cuMemcpyHtoA_v2(dst_array dst_offset src_host byte_count) => plain(0);
        cuMemcpyHtoA_v2_ptds(dst_array dst_offset src_host byte_count) => per_thread(0);
        cuMemcpyHtoD(dst_device src_host byte_count) => plain(0);
        cuMemcpyHtoD_v2(dst_device src_host byte_count) => plain(0);
        cuMemcpyHtoD_v2_ptds(dst_device src_host byte_count) => per_thread(0);
        cuMemcpyPeer(dst_device dst_context src_device src_context byte_count) => plain(0);
        cuMemcpyPeer_ptds(dst_device dst_context src_device src_context byte_count) => per_thread(0);
        cuMemcpy_ptds(dst src byte_count) => per_thread(0);
        cuMemsetD16(dst_device us n) => plain(0);
        cuMemsetD16_v2(dst_device us n) => plain(0);
        cuMemsetD16_v2_ptds(dst_device us n) => per_thread(0);
        cuMemsetD2D16(dst_device dst_pitch us width height) => plain(0);
        cuMemsetD2D16_v2(dst_device dst_pitch us width height) => plain(0);
        cuMemsetD2D16_v2_ptds(dst_device dst_pitch us width height) => per_thread(0);
        cuMemsetD2D32(dst_device dst_pitch ui width height) => plain(0);
        cuMemsetD2D32_v2(dst_device dst_pitch ui width height) => plain(0);
        cuMemsetD2D32_v2_ptds(dst_device dst_pitch ui width height) => per_thread(0);
        cuMemsetD2D8(dst_device dst_pitch uc width height) => plain(0);
        cuMemsetD2D8_v2(dst_device dst_pitch uc width height) => plain(0);
        cuMemsetD2D8_v2_ptds(dst_device dst_pitch uc width height) => per_thread(0);
        cuMemsetD32(dst_device ui n) => plain(0);
        cuMemsetD32_v2(dst_device ui n) => plain(0);
        cuMemsetD32_v2_ptds(dst_device ui n) => per_thread(0);
        cuMemsetD8(dst_device uc n) => plain(0);
        cuMemsetD8_v2(dst_device uc n) => plain(0);
        cuMemsetD8_v2_ptds(dst_device uc n) => per_thread(0);
    }
    by submit::complete {
        cuMemcpyAtoH(dst_host src_array src_offset byte_count) => plain(0);
        cuMemcpyAtoH_v2(dst_host src_array src_offset byte_count) => plain(0);
        cuMemcpyAtoH_v2_ptds(dst_host src_array src_offset byte_count) => per_thread(0);
        cuMemcpyDtoH(dst_host src_device byte_count) => plain(0);
        cuMemcpyDtoH_v2(dst_host src_device byte_count) => plain(0);
        cuMemcpyDtoH_v2_ptds(dst_host src_device byte_count) => per_thread(0);
    }
    by submit::behind {
        // Makes the stream wait; what is waited for may be held back as well.
        cuStreamWaitEvent(stream event flags) => plain(stream);
        cuStreamWaitEvent_ptsz(stream event flags) => per_thread(stream);
        cuStreamWaitValue32(stream address value flags) => plain(stream);
        cuStreamWaitValue32_ptsz(stream address value flags) => per_thread(stream);
        cuStreamWaitValue32_v2(stream address value flags) => plain(stream);
        cuStreamWaitValue32_v2_ptsz(stream address value flags) => per_thread(stream);
        cuStreamWaitValue64(stream address value flags) => plain(stream);
        cuStreamWaitValue64_ptsz(stream address value flags) => per_thread(stream);
        cuStreamWaitValue64_v2(stream address value flags) => plain(stream);
        cuStreamWaitValue64_v2_ptsz(stream address value flags) => per_thread(stream);
        cuWaitExternalSemaphoresAsync(semaphores params count stream) => plain(stream);
        cuWaitExternalSemaphoresAsync_ptsz(semaphores params count stream) => per_thread(stream);

        // Lets others go on that wait, and takes the device no time; to hold it back could hold them up for good.
        cuStreamWriteValue32(stream address value flags) => plain(stream);
        cuStreamWriteValue32_ptsz(stream address value flags) => per_thread(stream);
        cuStreamWriteValue32_v2(stream address value flags) => plain(stream);
        cuStreamWriteValue32_v2_ptsz(stream address value flags) => per_thread(stream);
        cuStreamWriteValue64(stream address value flags) => plain(stream);
        cuStreamWriteValue64_ptsz(stream address value flags) => per_thread(stream);
        cuStreamWriteValue64_v2(stream address value flags) => plain(stream);
        cuStreamWriteValue64_v2_ptsz(stream address value flags) => per_thread(stream);
        cuStreamBatchMemOp(stream count params flags) => plain(stream);
        cuStreamBatchMemOp_ptsz(stream count params flags) => per_thread(stream);
        cuStreamBatchMemOp_v2(stream count params flags) => plain(stream);
        cuStreamBatchMemOp_v2_ptsz(stream count params flags) => per_thread(stream);
        cuSignalExternalSemaphoresAsync(semaphores params count stream) => plain(stream);
        cuSignalExternalSemaphoresAsync_ptsz(semaphores params count stream) => per_thread(stream);

        // Runs on the host, and may be what another thread waits for.
        cuLaunchHostFunc(stream function user_data) => plain(stream);
        cuLaunchHostFunc_ptsz(stream function user_data) => per_thread(stream);
        cuStreamAddCallback(stream callback user_data flags) => plain(stream);
        cuStreamAddCallback_ptsz(stream callback user_data flags) => per_thread(stream);

        // Arranges memory.
        cuMemAllocAsync(ptr size stream) => plain(stream);
        cuMemAllocAsync_ptsz(ptr size stream) => per_thread(stream);
        cuMemAllocFromPoolAsync(ptr size pool stream) => plain(stream);
        cuMemAllocFromPoolAsync_ptsz(ptr size pool stream) => per_thread(stream);
        cuMemFreeAsync(ptr stream) => plain(stream);
        cuMemFreeAsync_ptsz(ptr stream) => per_thread(stream);
    }
    handled {
        cuStreamSynchronize => stream::synchronize, stream::SYNCHRONIZE;
        cuStreamSynchronize_ptsz => stream::synchronize_ptsz, stream::SYNCHRONIZE_PTSZ;
        cuStreamQuery => stream::query, stream::QUERY;
        cuStreamQuery_ptsz => stream::query_ptsz, stream::QUERY_PTSZ;
        cuStreamDestroy => stream::destroy, stream::DESTROY;
        cuStreamDestroy_v2 => stream::destroy_v2, stream::DESTROY_V2;
        cuStreamBeginCapture => capture::begin, capture::BEGIN;
        cuStreamBeginCapture_ptsz => capture::begin_ptsz, capture::BEGIN_PTSZ;
        cuStreamBeginCapture_v2 => capture::begin_v2, capture::BEGIN_V2;
        cuStreamBeginCapture_v2_ptsz => capture::begin_v2_ptsz, capture::BEGIN_V2_PTSZ;
        cuStreamBeginCaptureToGraph => capture::begin_to_graph, capture::BEGIN_TO_GRAPH;
        cuStreamBeginCaptureToGraph_ptsz => capture::begin_to_graph_ptsz, capture::BEGIN_TO_GRAPH_PTSZ;
        cuStreamEndCapture => capture::end, capture::END;
        cuStreamEndCapture_ptsz => capture::end_ptsz, capture::END_PTSZ;
        cuEventRecord => event::record, event::RECORD;
        cuEventRecord_ptsz => event::record_ptsz, event::RECORD_PTSZ;
        cuEventRecordWithFlags => event::record_with_flags, event::RECORD_WITH_FLAGS;
        cuEventRecordWithFlags_ptsz => event::record_with_flags_ptsz, event::RECORD_WITH_FLAGS_PTSZ;
        cuEventSynchronize => event::synchronize, event::SYNCHRONIZE;
        cuEventQuery => event::query, event::QUERY;
        cuCtxSynchronize => context::synchronize, context::SYNCHRONIZE;
        cuCtxSynchronize_v2 => context::synchronize_v2, context::SYNCHRONIZE_V2;
        cuCtxDestroy => context::destroy, context::DESTROY;
        cuCtxDestroy_v2 => context::destroy_v2, context::DESTROY_V2;
        cuCtxDetach => context::detach, context::DETACH;
        cuDevicePrimaryCtxReset => context::reset_primary, context::RESET_PRIMARY;
        cuDevicePrimaryCtxReset_v2 => context::reset_primary_v2, context::RESET_PRIMARY_V2;
        cuDevicePrimaryCtxRelease => context::release_primary, context::RELEASE_PRIMARY;
        cuDevicePrimaryCtxRelease_v2 => context::release_primary_v2, context::RELEASE_PRIMARY_V2;
        cuGreenCtxDestroy => context::destroy_green, context::DESTROY_GREEN;
        cuIpcGetEventHandle => ipc::get_event, ipc::GET_EVENT;
        cuIpcGetMemHandle => ipc::get_memory, ipc::GET_MEMORY;
        cuIpcOpenEventHandle => ipc::open_event, ipc::OPEN_EVENT;
        cuIpcOpenMemHandle => ipc::open_memory, ipc::OPEN_MEMORY;
        cuIpcOpenMemHandle_v2 => ipc::open_memory_v2, ipc::OPEN_MEMORY_V2;
        cuGetProcAddress => resolve::get_proc_address, resolve::GET_PROC_ADDRESS;
        cuGetProcAddress_v2 => resolve::get_proc_address_v2, resolve::GET_PROC_ADDRESS_V2;
    }
    bypass {
        "puts nothing into the stream":
            cuStreamGetAttribute cuStreamGetAttribute_ptsz cuStreamSetAttribute cuStreamSetAttribute_ptsz
            cuStreamCopyAttributes cuStreamCopyAttributes_ptsz cuStreamGetCaptureInfo cuStreamGetCaptureInfo_ptsz
            cuStreamGetCaptureInfo_v2 cuStreamGetCaptureInfo_v2_ptsz cuStreamGetCaptureInfo_v3
            cuStreamGetCaptureInfo_v3_ptsz cuStreamUpdateCaptureDependencies cuStreamUpdateCaptureDependencies_ptsz
            cuStreamUpdateCaptureDependencies_v2 cuStreamUpdateCaptureDependencies_v2_ptsz cuStreamIsCapturing
            cuStreamIsCapturing_ptsz cuStreamGetCtx cuStreamGetCtx_ptsz cuStreamGetCtx_v2 cuStreamGetCtx_v2_ptsz
            cuStreamGetDevice cuStreamGetDevice_ptsz cuStreamGetFlags cuStreamGetFlags_ptsz cuStreamGetGreenCtx
            cuStreamGetId cuStreamGetId_ptsz cuStreamGetPriority cuStreamGetPriority_ptsz
            cuOccupancyMaxActiveClusters cuOccupancyMaxPotentialClusterSize;
        "a stream becomes a queue when something is launched on it":
            cuStreamCreate cuStreamCreateWithPriority cuGreenCtxStreamCreate;
        "may upload the graph that it makes; its launches are gated":
            cuGraphInstantiateWithParams cuGraphInstantiateWithParams_ptsz;
        "hands a frame over between interfaces, which may be waited for there":
            cuEGLStreamConsumerAcquireFrame cuEGLStreamConsumerReleaseFrame cuEGLStreamProducerPresentFrame
            cuEGLStreamProducerReturnFrame;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    /// Functions of the driver that take a stream, by value, by address or in a struct.
    fn stream_functions() -> BTreeSet<&'static str> {
        let lines = include_str!("stream-functions.txt").lines();
        lines.filter(|line| !line.is_empty() && !line.starts_with("//")).collect()
    }

    fn rows() -> BTreeSet<&'static str> {
        functions().map(|(name, _)| name.to_str().unwrap()).collect()
    }

    #[test]
    fn every_function_that_takes_a_stream_has_a_row() {
        let wanted = stream_functions();
        assert!(wanted.len() > 150, "the list was not understood: {wanted:?}");
        let (rows, missing): (_, Vec<_>) =
            (rows(), wanted.iter().filter(|name| !rows().contains(*name)).collect());
        assert!(
            missing.is_empty(),
            "add a row to platforms/cuda/src/intercept/table.rs for each of {missing:?}, of {} rows",
            rows.len()
        );
    }

    #[test]
    fn every_copy_and_set_has_a_row() {
        let exports: BTreeSet<&str> = include_str!("../../../../shims/cuda/src/symbols.rs")
            .lines()
            .filter_map(|line| line.trim().strip_suffix(';')?.split_whitespace().next())
            .filter(|name| name.starts_with("cuMemcpy") || name.starts_with("cuMemset"))
            .collect();
        assert!(exports.len() > 100, "{exports:?}");
        let rows = rows();
        let missing: Vec<_> = exports.iter().filter(|name| !rows.contains(*name)).collect();
        assert!(missing.is_empty(), "{missing:?}");
    }

    #[test]
    fn every_row_has_either_a_handler_or_a_reason_and_no_name_stands_twice() {
        assert_eq!(rows().len(), ROWS.len());
        for row in ROWS {
            assert_eq!(row.handlers.is_empty(), row.bypass.is_some(), "{:?}", row.name);
        }
    }

    #[test]
    fn a_twin_takes_null_for_the_threads_stream_and_its_plain_function_for_the_contexts() {
        assert_eq!((plain(0), plain(1), plain(2)), (Named::Legacy, Named::Legacy, Named::PerThread));
        assert_eq!(
            (per_thread(0), per_thread(1), per_thread(2)),
            (Named::PerThread, Named::Legacy, Named::PerThread)
        );
        assert_eq!((plain(16), per_thread(16)), (Named::Made(16), Named::Made(16)));
    }
}
