//! Tests and benchmarks on an NVIDIA GPU: everything is built here and laid out in one folder, which runs here if there is a GPU, or
//! is copied to a machine that has one. That machine needs no cargo and nothing of this tree.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::stage;

/// Check on an NVIDIA GPU that programs compute the same natively, under XSched, and suspended at random.
#[derive(clap::Args)]
pub(crate) struct TestArgs {
    #[command(flatten)]
    bundle: Bundle,
    /// Only programs whose name contains this.
    #[arg(long, value_name = "TEXT", default_value = "")]
    only: String,
    /// Flags of the program itself, which `gpu test --help` lists.
    #[arg(last = true, value_name = "FLAGS")]
    flags: Vec<String>,
}

/// Measure on an NVIDIA GPU what XSched costs, and what it does for an urgent program.
#[derive(clap::Args)]
pub(crate) struct BenchArgs {
    what: What,
    #[command(flatten)]
    bundle: Bundle,
    /// Flags of the program itself, which `gpu WHAT --help` lists.
    #[arg(last = true, value_name = "FLAGS")]
    flags: Vec<String>,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum What {
    /// Launches through the stand-in against native ones, alternated in one process.
    Launch,
    /// Applications with and without XSched, in turn.
    Apps,
    /// An urgent program beside a greedy one.
    Pair,
    /// What an urgent request takes right behind greedy work that is over.
    Behind,
    /// How soon an urgent kernel runs beside greedy kernels of several lengths.
    Preempt,
    /// What programs get of the device under UP, PUP and CFS.
    Shares,
    /// Two streams of one process under a scheduler inside it.
    Inside,
    /// What the driver's own controls cost and do.
    Control,
    /// Somebody dies or freezes while a program is stopped.
    Safety,
    /// Level 3 in contexts of each kind, with other users, and where it is not wanted.
    Conditions,
    /// Several urgent programs beside several greedy ones.
    Crowd,
    /// Eight programs for minutes.
    Soak,
}

#[derive(clap::Args)]
struct Bundle {
    /// Lay the folder out here and run nothing.
    #[arg(long, value_name = "DIR")]
    bundle: Option<PathBuf>,
}

/// Runs the task.
pub(crate) fn test(args: &TestArgs) -> Result<()> {
    let flags = args.flags.iter().map(String::as_str);
    go(&args.bundle, &["test", "--only", &args.only].into_iter().chain(flags).collect::<Vec<_>>())
}

/// Runs the task.
pub(crate) fn bench(args: &BenchArgs) -> Result<()> {
    let what = match args.what {
        What::Launch => "launch",
        What::Apps => "apps",
        What::Pair => "pair",
        What::Behind => "behind",
        What::Preempt => "preempt",
        What::Shares => "shares",
        What::Inside => "inside",
        What::Control => "control",
        What::Safety => "safety",
        What::Conditions => "conditions",
        What::Crowd => "crowd",
        What::Soak => "soak",
    };
    let flags = args.flags.iter().map(String::as_str);
    go(&args.bundle, &[what].into_iter().chain(flags).collect::<Vec<_>>())
}

fn go(bundle: &Bundle, arguments: &[&str]) -> Result<()> {
    let folder = match &bundle.bundle {
        Some(folder) => folder.clone(),
        None => stage::target_dir()?.join("gpu"),
    };
    lay_out(&folder)?;
    if bundle.bundle.is_some() || !Path::new("/dev/nvidiactl").exists() {
        println!("on a machine with an NVIDIA GPU: {}/gpu {}", folder.display(), arguments.join(" "));
        return Ok(());
    }
    let status = Command::new(folder.join("gpu")).args(arguments).status().context("starting the program")?;
    ensure!(status.success(), "it ended with {status}");
    Ok(())
}

/// Builds and copies everything that is needed.
fn lay_out(folder: &Path) -> Result<()> {
    let staged = stage::stage()?;
    let release = stage::build(&["test-gpu", "cuda-suite"])?;
    let tree = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let parts = [
        (staged.join("bin/xserver"), "xsched/bin/xserver"),
        (staged.join("bin/xcli"), "xsched/bin/xcli"),
        (staged.join("lib/xsched/libxsched.so"), "xsched/lib/xsched/libxsched.so"),
        (staged.join("lib/xsched/libcuda.so.1"), "xsched/lib/xsched/libcuda.so.1"),
        // The system tests' machinery looks for these.
        (staged.join("lib/xsched/libOpenCL.so.1"), "xsched/lib/xsched/libOpenCL.so.1"),
        (staged.join("lib/xsched/libxsched_opencl_layer.so"), "xsched/lib/xsched/libxsched_opencl_layer.so"),
        (release.join("gpu"), "gpu"),
        (release.join("cuda-suite"), "cuda-suite"),
    ];
    for (from, to) in parts {
        stage::copy(&from, &folder.join(to))?;
        // Debug information is most of it, and nobody debugs there.
        let _ = Command::new("strip").arg("--strip-debug").arg(folder.join(to)).status();
    }
    for (from, to) in [
        ("tests/gpu/programs", "programs"),
        ("examples/serving", "serving"),
        ("python/src/xsched", "python/xsched"),
        ("python/examples", "python/examples"),
    ] {
        let from = tree.join(from);
        for entry in from.read_dir().with_context(|| format!("reading {}", from.display()))? {
            let file = entry?.path();
            if file.is_file() {
                stage::copy(&file, &folder.join(to).join(file.file_name().context("a file has a name")?))?;
            }
        }
    }
    let link = folder.join("xsched/lib/xsched/libcuda.so");
    let _ = std::fs::remove_file(&link);
    std::os::unix::fs::symlink("libcuda.so.1", &link).with_context(|| format!("linking {}", link.display()))
}
