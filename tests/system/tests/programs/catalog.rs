//! The programs: how each is started, and what of its output is the same every time.

use std::path::PathBuf;
use test_system::Driver;

/// Names the folder with pyopencl: a Python environment, and pyopencl's source with its tests and examples.
const PYOPENCL: &str = "PYOPENCL";

/// A program.
pub(crate) struct Entry {
    pub(crate) name: &'static str,
    /// Drivers on which it runs with every `cargo test`.
    quick_on: &'static [&'static str],
    /// Drivers on which it does not run at all, not natively either, and why.
    not_on: &'static [(&'static str, &'static str)],
    /// Its variables (`NAME=VALUE`) and arguments, with spaces between them.
    arguments: fn(&Driver) -> String,
    program: Kind,
    /// What of its output is compared.
    pub(crate) compared: fn(Vec<String>) -> Vec<String>,
    /// It makes queues and launches something, so it can be suspended.
    pub(crate) launches: bool,
    /// Files that are there when it starts.
    pub(crate) files: &'static [File],
}

/// Where a program is.
enum Kind {
    /// In PATH.
    Installed(&'static str),
    /// A script or a module of Python's, which sees pyopencl. The folder of its source is its first argument's.
    Python(&'static str),
}

/// A file.
pub(crate) struct File {
    pub(crate) name: &'static str,
    pub(crate) text: &'static str,
}

/// How a program is started.
pub(crate) struct Invocation {
    pub(crate) program: PathBuf,
    pub(crate) arguments: Vec<String>,
    pub(crate) variables: Vec<(String, String)>,
}

impl Entry {
    pub(crate) fn is_quick_on(&self, driver: &str) -> bool {
        self.quick_on.contains(&driver)
    }

    /// How it is started on that driver, or why that cannot be.
    pub(crate) fn command(&self, driver: &Driver) -> Result<Invocation, String> {
        if let Some((_, why)) = self.not_on.iter().find(|(name, _)| *name == driver.name) {
            return Err((*why).into());
        }
        let (given, mut arguments): (Vec<String>, Vec<String>) =
            words(&(self.arguments)(driver)).into_iter().partition(|word| is_variable(word));
        let mut variables: Vec<(String, String)> = given
            .iter()
            .filter_map(|word| word.split_once('='))
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        let for_all = [
            // Natively the second run would find what the first one built.
            ("PYOPENCL_NO_CACHE", "1"),
            ("PYOPENCL_CTX", "0"),
            ("PYOPENCL_TEST", "0:0"),
            ("PYTHONHASHSEED", "0"),
            ("PYTHONDONTWRITEBYTECODE", "1"),
        ];
        variables.extend(for_all.map(|(name, value)| (name.to_owned(), value.to_owned())));
        let program = match self.program {
            Kind::Installed(name) => installed(name)?,
            Kind::Python(script) => {
                let folder = std::env::var_os(PYOPENCL).map(PathBuf::from).filter(|folder| folder.is_dir());
                let folder = folder
                    .ok_or("no pyopencl (`cargo xtask test programs` gets it; PYOPENCL names its folder)")?;
                let script: Vec<String> = words(script)
                    .into_iter()
                    .map(|word| word.replace("SOURCE", &folder.join("source").to_string_lossy()))
                    .collect();
                arguments.splice(0..0, script);
                folder.join("bin/python")
            }
        };
        Ok(Invocation { program, arguments, variables })
    }
}

fn is_variable(word: &str) -> bool {
    let is_name = |name: &str| name.bytes().all(|b| b.is_ascii_uppercase() || b == b'_');
    word.split_once('=').is_some_and(|(name, _)| !name.is_empty() && is_name(name))
}

fn words(text: &str) -> Vec<String> {
    text.split_whitespace().map(str::to_owned).collect()
}

fn installed(name: &str) -> Result<PathBuf, String> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).map(|folder| folder.join(name)).find(|file| file.is_file());
    found.ok_or_else(|| format!("{name} is not installed (`cargo xtask test programs` installs it)"))
}

const fn entry(name: &'static str, program: Kind, arguments: fn(&Driver) -> String) -> Entry {
    Entry { name, quick_on: &[], not_on: &[], arguments, program, compared: all, launches: true, files: &[] }
}

/// An example of pyopencl's.
const fn example(name: &'static str, script: &'static str) -> Entry {
    entry(name, Kind::Python(script), none)
}

/// Tests of pyopencl's, those with these names.
const fn tests(name: &'static str, script: &'static str, which: fn(&Driver) -> String) -> Entry {
    Entry { compared: results_of_pytest, ..entry(name, Kind::Python(script), which) }
}

/// A test program of CLBlast's, which compares each result with a BLAS for the CPU.
const fn clblast(name: &'static str, program: &'static str) -> Entry {
    Entry { compared: results_of_clblast, ..entry(name, Kind::Installed(program), none) }
}

/// MD5 of 00017, 31337 and 98765, and one that no five digits have.
const HASHES: File = File {
    name: "hashes",
    text: "633e46b10e15d2667eb184c416ef3750\n6f3249aa304055d63828af3bfab778f6\n\
           c37bf859faf392800d739a41fe5af151\nffffffffffffffffffffffffffffffff\n",
};

/// Fixed sizes instead of tuning (-n, -u, -T); nothing is kept. The session's name is for its lock, which is one for all of a user's.
const HASHCAT: &str = "--session xsched-test -m 0 -a 3 -w 1 --force --quiet --self-test-disable --hwmon-disable --potfile-disable \
    --restore-disable --logfile-disable --backend-ignore-cuda --backend-ignore-hip -n 256 -u 512 -T 1 hashes ?d?d?d?d?d";

pub(crate) const CATALOG: &[Entry] = &[
    Entry {
        launches: false,
        quick_on: &["pocl", "intel", "oclgrind"],
        ..entry("clinfo", Kind::Installed("clinfo"), none)
    },
    Entry {
        compared: without_numbers,
        ..entry("clpeak", Kind::Installed("clpeak"), |driver| match driver.name {
            // Its kernels are made for devices that are a million times faster.
            "oclgrind" => "--transfer-bandwidth".into(),
            _ => "--kernel-latency --transfer-bandwidth".into(),
        })
    },
    Entry {
        quick_on: &["pocl"],
        compared: sorted,
        files: &[HASHES],
        ..entry("hashcat", Kind::Installed("hashcat"), |driver| match driver.name {
            // Its compiler needs more than six minutes for the kernels that others use, and half a minute for these.
            "intel" => format!("CL_CONFIG_USE_VECTORIZER=False {HASHCAT} -O"),
            // More memory than it has by itself.
            "oclgrind" => format!("OCLGRIND_GLOBAL_MEM_SIZE=2000000000 {HASHCAT} -O"),
            _ => HASHCAT.into(),
        })
    },
    Entry {
        quick_on: &["pocl"],
        ..entry("ffmpeg-sharpen-and-blur", Kind::Installed("ffmpeg"), |driver| {
            ffmpeg(driver, "unsharp_opencl=lx=5:ly=5:la=1,avgblur_opencl=3")
        })
    },
    entry("ffmpeg-edges", Kind::Installed("ffmpeg"), |driver| {
        ffmpeg(
            driver,
            "sobel_opencl,erosion_opencl,dilation_opencl=coordinates=231,prewitt_opencl,roberts_opencl",
        )
    }),
    Entry {
        not_on: &[(
            "oclgrind",
            "ffmpeg's pad kernel writes behind its image there, and frames differ natively too",
        )],
        ..entry("ffmpeg-convolution-and-turn", Kind::Installed("ffmpeg"), |driver| {
            ffmpeg(driver, "boxblur_opencl=2:1,transpose_opencl=clock,pad_opencl=iw+16:ih+16:8:8")
        })
    },
    example("pyopencl-demo", "SOURCE/examples/demo.py"),
    example("pyopencl-array", "SOURCE/examples/demo_array.py"),
    Entry {
        not_on: &[("oclgrind", "it has no shared virtual memory")],
        ..example("pyopencl-array-svm", "SOURCE/examples/demo_array_svm.py")
    },
    example("pyopencl-elementwise", "SOURCE/examples/demo_elementwise.py"),
    Entry {
        compared: first_line,
        ..example("pyopencl-elementwise-complex", "SOURCE/examples/demo_elementwise_complex.py")
    },
    example("pyopencl-narray", "SOURCE/examples/narray.py"),
    example("pyopencl-svm", "SOURCE/examples/svm.py"),
    Entry {
        compared: what_drivers_say,
        launches: false,
        ..example("pyopencl-properties", "SOURCE/examples/dump-properties.py")
    },
    tests("pyopencl-test-wrapper", "-m pytest -p no:cacheprovider -v SOURCE/test/test_wrapper.py", none),
    tests("pyopencl-test-copy", "-m pytest -p no:cacheprovider -v SOURCE/test/test_enqueue_copy.py", none),
    tests(
        "pyopencl-test-structs",
        "-m pytest -p no:cacheprovider -v SOURCE/test/test_arrays_in_structs.py",
        none,
    ),
    tests("pyopencl-test-math", "-m pytest -p no:cacheprovider -v -k log SOURCE/test/test_clmath.py", none),
    clblast("clblast-axpy", "clblast_test_xaxpy"),
    clblast("clblast-dot", "clblast_test_xdot"),
    clblast("clblast-symmetric", "clblast_test_xsymv"),
    Entry {
        compared: without_numbers,
        ..entry("clfft", Kind::Installed("clFFT-client"), |_| "-x 256 -y 16 -b 4 -p 5".into())
    },
];

fn none(_: &Driver) -> String {
    String::new()
}

/// Thirty frames, or four small ones in a simulator, through these filters.
fn ffmpeg(driver: &Driver, filters: &str) -> String {
    let source = match driver.name {
        "oclgrind" => "testsrc=size=48x32:rate=4:duration=1",
        _ => "testsrc=size=320x240:rate=10:duration=3",
    };
    format!(
        "-v error -nostdin -init_hw_device opencl=ocl:0.0 -filter_hw_device ocl -f lavfi -i {source} \
         -vf format=yuv420p,hwupload,{filters},hwdownload,format=yuv420p -f framemd5 -"
    )
}

fn all(lines: Vec<String>) -> Vec<String> {
    lines
}

fn sorted(mut lines: Vec<String>) -> Vec<String> {
    lines.sort();
    lines
}

/// The second line is an error of rounding, of numbers drawn at random.
fn first_line(mut lines: Vec<String>) -> Vec<String> {
    lines.truncate(1);
    lines
}

/// Places of objects in memory become `0x`.
fn without_addresses(lines: Vec<String>) -> Vec<String> {
    let shorten = |line: String| {
        let mut parts = line.split(" at 0x");
        let mut short = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            short.push_str(" at 0x");
            short.push_str(part.trim_start_matches(|c: char| c.is_ascii_hexdigit()));
        }
        short
    };
    lines.into_iter().map(shorten).collect()
}

/// Without addresses, and without the capabilities that PoCL writes four bytes of where pyopencl reads eight.
fn what_drivers_say(lines: Vec<String>) -> Vec<String> {
    let half_written = "DEVICE_ENQUEUE_CAPABILITIES: ";
    without_addresses(lines.into_iter().filter(|line| !line.starts_with(half_written)).collect())
}

/// Figures become `#`: what was measured where is compared.
fn without_numbers(lines: Vec<String>) -> Vec<String> {
    let shorten = |line: String| {
        let mut short = String::new();
        // What took no time that can be measured was infinitely fast.
        for character in line.replace(": inf", ": 0").chars() {
            match character {
                '0'..='9' | '.' if short.ends_with('#') => {}
                '0'..='9' => short.push('#'),
                other => short.push(other),
            }
        }
        short
    };
    lines.into_iter().map(shorten).collect()
}

/// Which test passed, failed or was skipped.
fn results_of_pytest(lines: Vec<String>) -> Vec<String> {
    let result = |line: &String| {
        let of_a_test = line.contains("::") && line.ends_with("%]");
        ["PASSED", "FAILED", "SKIPPED", "XFAIL", "XPASS", "ERROR"].into_iter().filter(|_| of_a_test).find_map(
            |result| {
                let (test, _) = line.split_once(&format!(" {result} "))?;
                Some(format!("{test} {result}"))
            },
        )
    };
    lines.iter().filter_map(result).collect()
}

/// How many cases of each routine passed.
fn results_of_clblast(lines: Vec<String>) -> Vec<String> {
    let is_result = |line: &String| {
        ["passed", "skipped", "failed", "Starting tests"].iter().any(|word| line.contains(word))
    };
    lines.into_iter().filter(is_result).collect()
}
