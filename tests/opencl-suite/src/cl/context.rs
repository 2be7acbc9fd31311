//! The device under test and contexts on it.

use super::{Code, Result, call, handle, query, query_bytes, text};
use opencl_sys::{
    CL_CONTEXT_PLATFORM, CL_CONTEXT_REFERENCE_COUNT, CL_DEVICE_EXTENSIONS_WITH_VERSION, CL_DEVICE_NAME,
    CL_DEVICE_REFERENCE_COUNT, CL_DEVICE_TYPE_ALL, CL_DEVICE_VERSION, CL_PLATFORM_NAME, cl_device_id,
    cl_name_version, cl_platform_id,
};
use std::ffi::{CString, c_void};
use std::ptr;

/// One root device of one platform.
#[derive(Clone, Copy)]
pub(crate) struct Device {
    pub(crate) platform: cl_platform_id,
    pub(crate) id: cl_device_id,
}

// SAFETY: platforms and root devices live as long as the process and may be used from any thread.
unsafe impl Send for Device {}
// SAFETY: as above.
unsafe impl Sync for Device {}

impl Device {
    /// All devices of all platforms, in the loader's order.
    pub(crate) fn all() -> Result<Vec<Self>> {
        let mut count = 0;
        Code(call!(clGetPlatformIDs(0, ptr::null_mut(), &mut count))).ok()?;
        let mut platforms = vec![ptr::null_mut(); count as usize];
        Code(call!(clGetPlatformIDs(count, platforms.as_mut_ptr(), ptr::null_mut()))).ok()?;
        let mut found = Vec::new();
        for platform in platforms {
            let mut count = 0;
            let kind = CL_DEVICE_TYPE_ALL;
            if call!(clGetDeviceIDs(platform, kind, 0, ptr::null_mut(), &mut count)) != 0 {
                continue;
            }
            let mut ids = vec![ptr::null_mut(); count as usize];
            Code(call!(clGetDeviceIDs(platform, kind, count, ids.as_mut_ptr(), ptr::null_mut()))).ok()?;
            found.extend(ids.into_iter().map(|id| Self { platform, id }));
        }
        Ok(found)
    }

    /// "platform / device", for messages and for choosing.
    pub(crate) fn name(&self) -> String {
        let platform = query_bytes(|size, to, need| {
            call!(clGetPlatformInfo(self.platform, CL_PLATFORM_NAME, size, to, need))
        });
        format!("{} / {}", platform.map(text).unwrap_or_default(), self.text(CL_DEVICE_NAME))
    }

    /// The OpenCL version as major * 100 + minor * 10, so 1.2 is 120; 0 when it cannot be read.
    pub(crate) fn version(&self) -> u32 {
        let version = self.text(CL_DEVICE_VERSION);
        let mut digits = version.trim_start_matches("OpenCL ").split(|c: char| !c.is_ascii_digit());
        let mut next = || digits.next().and_then(|part| part.parse::<u32>().ok()).unwrap_or(0);
        next() * 100 + next() * 10
    }

    /// The version of an extension as the device packs it (10, 10 and 12 bits), if it tells (OpenCL 3.0).
    pub(crate) fn extension_version(&self, name: &str) -> Option<u32> {
        let list = self.bytes(CL_DEVICE_EXTENSIONS_WITH_VERSION).ok()?;
        let mut entries = list.chunks_exact(size_of::<cl_name_version>());
        let entry = entries.find(|entry| {
            text(entry[4..].split(|byte| *byte == 0).next().unwrap_or_default().to_vec()) == name
        })?;
        Some(u32::from_ne_bytes([entry[0], entry[1], entry[2], entry[3]]))
    }

    /// One value of the device's information.
    pub(crate) fn info<T: super::Plain>(&self, parameter: u32) -> Result<T> {
        query(|size, to, need| call!(clGetDeviceInfo(self.id, parameter, size, to, need)))
    }

    /// One text of the device's information; empty when it cannot be read.
    pub(crate) fn text(&self, parameter: u32) -> String {
        self.bytes(parameter).map(text).unwrap_or_default()
    }

    /// One value of unknown size of the device's information.
    pub(crate) fn bytes(&self, parameter: u32) -> Result<Vec<u8>> {
        query_bytes(|size, to, need| call!(clGetDeviceInfo(self.id, parameter, size, to, need)))
    }

    /// The address of an extension function; null when the platform does not know it.
    pub(crate) fn function(&self, name: &str) -> *mut c_void {
        let name = CString::new(name).unwrap_or_default();
        call!(clGetExtensionFunctionAddressForPlatform(self.platform, name.as_ptr()))
    }
}

handle!(
    /// A context on one device.
    Context,
    clRetainContext,
    clReleaseContext,
    clGetContextInfo,
    CL_CONTEXT_REFERENCE_COUNT
);

impl Context {
    /// A context on `device` without properties.
    pub(crate) fn new(device: &Device) -> Result<Self> {
        Self::on_devices(&[device.id])
    }

    /// A context on these devices, which may be none (an error) or sub-devices.
    pub(crate) fn on_devices(devices: &[cl_device_id]) -> Result<Self> {
        let mut code = 0;
        let (count, list) = (devices.len() as u32, devices.as_ptr());
        let raw = call!(clCreateContext(ptr::null(), count, list, None, ptr::null_mut(), &mut code));
        Self::made(raw, code)
    }

    /// A context made from a platform and a kind of device.
    pub(crate) fn from_type(platform: cl_platform_id, kind: u64) -> Result<Self> {
        let mut code = 0;
        let properties = [CL_CONTEXT_PLATFORM, platform as isize, 0];
        let raw = call!(clCreateContextFromType(properties.as_ptr(), kind, None, ptr::null_mut(), &mut code));
        Self::made(raw, code)
    }
}

handle!(
    /// A part of a device.
    SubDevice,
    clRetainDevice,
    clReleaseDevice,
    clGetDeviceInfo,
    CL_DEVICE_REFERENCE_COUNT
);

impl Device {
    /// Splits the device by one property and its value.
    pub(crate) fn split(&self, property: isize, value: isize) -> Result<Vec<SubDevice>> {
        let properties = [property, value, 0];
        let (mut count, list) = (0, properties.as_ptr());
        Code(call!(clCreateSubDevices(self.id, list, 0, ptr::null_mut(), &mut count))).ok()?;
        let mut ids = vec![ptr::null_mut(); count as usize];
        Code(call!(clCreateSubDevices(self.id, list, count, ids.as_mut_ptr(), ptr::null_mut()))).ok()?;
        Ok(ids.into_iter().map(SubDevice::own).collect())
    }
}
