//! `xcli cdi`: describes XSched to container engines (Container Device Interface), which then put it into a container by
//! `--device xsched.dev/xpu=all`. Nothing but mounts and variables: no hook, no device node, no change to an image.

use crate::context::Context;
use crate::failure::Failure;
use crate::launch::environment::variable;
use crate::launch::library::Library;
use clap::Args;
use serde::Serialize;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

/// Describe XSched to podman, docker and containerd, for --device xsched.dev/xpu=all
///
/// A container with the device `all` has the socket of xserver, the libraries and xcli in it, and all of its programs are scheduled. With the
/// device `run` it has the same, and only those are that `xcli run` starts: for images with another C library than glibc (Alpine) among
/// others. Written again after the installation has moved. See docs/containers.md.
#[derive(Debug, Args)]
pub(crate) struct Cdi {
    /// File to write, for example /etc/cdi/xsched.json [default: standard output]
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,

    /// Folder with libxsched.so and the stand-ins [default: ../lib/xsched seen from xcli, else the folder of xcli]
    #[arg(long, value_name = "DIR")]
    lib_dir: Option<PathBuf>,
}

/// The oldest version of the specification that has all that is used here.
const VERSION: &str = "0.3.0";
const KIND: &str = "xsched.dev/xpu";
/// Where things are in a container: xcli in its PATH, the libraries where xcli looks for them, the socket where all look for it.
const XCLI: &str = "/usr/local/bin/xcli";
const LIBRARIES: &str = "/usr/local/lib/xsched";
const SOCKETS: &str = "/run/xsched";
/// The socket's usual name.
const SOCKET: &str = "xserver.sock";

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Spec {
    cdi_version: &'static str,
    kind: &'static str,
    devices: Vec<Device>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Device {
    name: &'static str,
    container_edits: Edits,
}

#[derive(Clone, Debug, Serialize)]
struct Edits {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    env: Vec<String>,
    mounts: Vec<Mount>,
}

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Mount {
    host_path: PathBuf,
    container_path: &'static str,
    options: &'static [&'static str],
}

impl Cdi {
    pub(crate) fn execute(self, context: &Context) -> Result<(), Failure> {
        let xcli = std::env::current_exe().and_then(|path| path.canonicalize());
        let xcli = xcli.map_err(|e| Failure::failed(format!("cannot find where xcli itself is: {e}")))?;
        let library = Library::find(self.lib_dir.as_deref(), &xcli)?;
        let places = context.places();
        // Whose server is not there yet will have it there.
        let socket = places.iter().find(|place| place.parent().is_some_and(Path::is_dir));
        let socket =
            socket.or(places.first()).ok_or_else(|| Failure::failed("there is no place for a socket"))?;
        let socket = std::path::absolute(socket)
            .map_err(|e| Failure::failed(format!("--socket {}: {e}", socket.display())))?;
        let spec = spec(&xcli, &library, &socket)?;
        let text = serde_json::to_string_pretty(&spec).map_err(|e| Failure::failed(e.to_string()))? + "\n";
        match &self.output {
            None => context.output.result(&spec, || text),
            Some(file) => {
                write(file, &text)
                    .map_err(|e| Failure::failed(format!("cannot write {}: {e}", file.display())))?;
                context.output.result(&spec, || format!("wrote {}: {KIND}=all, {KIND}=run\n", file.display()))
            }
        }
    }
}

fn spec(xcli: &Path, library: &Library, socket: &Path) -> Result<Spec, Failure> {
    let folder = socket.parent().unwrap_or(Path::new("/"));
    let name = socket
        .file_name()
        .and_then(OsStr::to_str)
        .ok_or_else(|| Failure::failed(format!("{} cannot be named in the description", socket.display())))?;
    // The folder and not the socket: a server that is started again makes a new socket in it.
    let mounts = vec![
        Mount {
            host_path: folder.into(),
            container_path: SOCKETS,
            options: &["rbind", "ro", "nosuid", "nodev", "noexec"],
        },
        Mount {
            host_path: library.dir.clone(),
            container_path: LIBRARIES,
            options: &["rbind", "ro", "nosuid", "nodev"],
        },
        Mount { host_path: xcli.into(), container_path: XCLI, options: &["rbind", "ro", "nosuid", "nodev"] },
    ];
    let socket = (name != SOCKET).then(|| format!("{}={SOCKETS}/{name}", variable("socket")));
    let run = Edits { env: socket.into_iter().collect(), mounts };
    let mut all = run.clone();
    all.env.extend(loading(library));
    Ok(Spec {
        cdi_version: VERSION,
        kind: KIND,
        devices: vec![
            Device { name: "all", container_edits: all },
            Device { name: "run", container_edits: run },
        ],
    })
}

/// What has each program load the stand-ins. No LD_LIBRARY_PATH: it would take the place of the image's own, by which the vendor's library may be
/// found, and a library that is loaded already is found by its name without.
fn loading(library: &Library) -> Vec<String> {
    let path = |file: &std::ffi::OsString| format!("{LIBRARIES}/{}", file.to_string_lossy());
    let stand_ins: Vec<String> = library.stand_ins.iter().map(path).collect();
    let preload = format!("LD_PRELOAD={}", stand_ins.join(":"));
    let layers = library.layers.iter().map(|(name, file)| format!("{name}={}", path(file)));
    [preload].into_iter().chain(layers).collect()
}

/// In one step, for engines may read it at any time.
fn write(file: &Path, text: &str) -> std::io::Result<()> {
    if let Some(folder) = file.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let fresh = file.with_extension("new");
    std::fs::write(&fresh, text)?;
    std::fs::rename(&fresh, file)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn library() -> Library {
        let layers = vec![("FAKE_LAYERS".into(), "libxsched_fake_layer.so".into())];
        Library {
            dir: "/opt/x/lib/xsched".into(),
            stand_ins: vec!["liba.so.1".into(), "libb.so.2".into()],
            layers,
        }
    }

    #[test]
    fn both_devices_mount_the_sockets_folder_the_libraries_and_xcli_and_one_loads_them() {
        let spec =
            spec(Path::new("/opt/x/bin/xcli"), &library(), Path::new("/run/xsched/xserver.sock")).unwrap();
        let spec = serde_json::to_value(&spec).unwrap();
        let edits = |device: usize| &spec["devices"][device]["containerEdits"];
        assert_eq!((&spec["cdiVersion"], &spec["kind"]), (&"0.3.0".into(), &"xsched.dev/xpu".into()));
        for device in [0, 1] {
            let mounts = edits(device)["mounts"].as_array().unwrap();
            let pairs: Vec<_> = mounts.iter().map(|m| [&m["hostPath"], &m["containerPath"]]).collect();
            assert_eq!(pairs[0], ["/run/xsched", "/run/xsched"]);
            assert_eq!(pairs[1], ["/opt/x/lib/xsched", "/usr/local/lib/xsched"]);
            assert_eq!(pairs[2], ["/opt/x/bin/xcli", "/usr/local/bin/xcli"]);
        }
        assert_eq!(
            edits(0)["env"],
            serde_json::json!([
                "LD_PRELOAD=/usr/local/lib/xsched/liba.so.1:/usr/local/lib/xsched/libb.so.2",
                "FAKE_LAYERS=/usr/local/lib/xsched/libxsched_fake_layer.so"
            ])
        );
        assert!(edits(1).get("env").is_none());
    }

    #[test]
    fn a_socket_with_another_name_is_told() {
        let spec = spec(Path::new("/x/xcli"), &library(), Path::new("/srv/a/my.sock")).unwrap();
        for device in &spec.devices {
            assert_eq!(device.container_edits.env[0], "XSCHED_SOCKET=/run/xsched/my.sock");
            assert_eq!(device.container_edits.mounts[0].host_path, Path::new("/srv/a"));
        }
    }
}
