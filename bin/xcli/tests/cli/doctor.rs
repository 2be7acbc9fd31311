//! `xcli doctor`, on real parts and on parts that are broken in every way that was thought of: it always comes to its end, and says
//! what is wrong and with whom.

use crate::real;
use crate::support::{build, compile, for_everybody, output, stderr, stdout, xcli};
use serde_json::Value;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use tempfile::TempDir;

/// A library folder with libxsched.so and the stand-in for OpenCL, and one with registered drivers.
struct Installation {
    root: TempDir,
}

impl Installation {
    /// With the real parts, and no driver.
    fn new() -> Installation {
        let installation = Installation::empty();
        let parts = [
            ("xsched-lib", "libxsched.so", "libxsched.so", None),
            ("xsched-shim-opencl", "libxsched_shim_opencl.so", "libOpenCL.so.1", Some("libOpenCL.so")),
            (
                "xsched-shim-levelzero",
                "libxsched_shim_levelzero.so",
                "libze_loader.so.1",
                Some("libze_loader.so"),
            ),
            ("xsched-shim-cuda", "libxsched_shim_cuda.so", "libcuda.so.1", Some("libcuda.so")),
        ];
        for (package, file, name, link) in parts {
            std::fs::copy(build(package, file), installation.lib().join(name)).unwrap();
            if let Some(link) = link {
                std::os::unix::fs::symlink(name, installation.lib().join(link)).unwrap();
            }
        }
        installation
    }

    /// With OpenCL's layer, too.
    fn add_layer(&self) {
        let name = "libxsched_opencl_layer.so";
        std::fs::copy(build("xsched-shim-opencl-layer", name), self.lib().join(name)).unwrap();
    }

    fn empty() -> Installation {
        let root = tempfile::tempdir().unwrap();
        for folder in ["lib", "drivers"] {
            std::fs::create_dir(root.path().join(folder)).unwrap();
        }
        std::fs::set_permissions(root.path(), PermissionsExt::from_mode(0o755)).unwrap();
        Installation { root }
    }

    fn lib(&self) -> PathBuf {
        self.root.path().join("lib")
    }

    /// Registers a driver that is made of this C text.
    fn driver(&self, name: &str, text: &str) {
        let library = self.root.path().join(format!("lib{name}.so"));
        compile(text, &library, &["-shared", "-fPIC"]);
        self.register(name, &library);
    }

    fn register(&self, name: &str, library: &Path) {
        let file = self.root.path().join("drivers").join(format!("{name}.icd"));
        std::fs::write(file, format!("{}\n", library.display())).unwrap();
    }

    /// `xcli doctor` on it, with a server's socket that nobody is at.
    fn command(&self) -> Command {
        let mut command = xcli();
        command.args(["--json", "doctor", "--lib-dir"]).arg(self.lib());
        command.env("OCL_ICD_VENDORS", self.root.path().join("drivers"));
        command.env("XSCHED_SOCKET", self.root.path().join("x.sock"));
        command
    }

    fn examine(&self) -> Report {
        examine(&mut self.command())
    }
}

/// What the doctor says.
struct Report {
    output: Output,
    value: Value,
}

fn examine(command: &mut Command) -> Report {
    let output = output(command);
    let value = serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{e}: {output:?}"));
    let report = Report { output, value };
    let problems = report.findings().filter(|finding| finding["verdict"] == "problem").count();
    assert_eq!(report.value["problems"], problems);
    assert_eq!(report.output.status.code(), Some(i32::from(problems > 0)), "{}", report.value);
    report
}

impl Report {
    fn findings(&self) -> impl Iterator<Item = &Value> {
        self.value["findings"].as_array().unwrap().iter()
    }

    /// The finding of this check, of which the text has these words.
    #[track_caller]
    fn finding(&self, section: &str, check: &str, words: &str) -> &Value {
        let is_it = |finding: &&Value| {
            (&finding["section"], &finding["check"]) == (&section.into(), &check.into())
                && finding["text"].as_str().unwrap().contains(words)
        };
        self.findings()
            .find(is_it)
            .unwrap_or_else(|| panic!("no {section}.{check} {words:?}: {:#}", self.value))
    }

    #[track_caller]
    fn problem(&self, section: &str, check: &str, words: &str) -> &Value {
        let finding = self.finding(section, check, words);
        assert_eq!(finding["verdict"], "problem", "{finding}");
        finding
    }
}

const CRASHES: &str = "__attribute__((constructor)) static void f(void) { *(volatile int *)0 = 0; }";
const HANGS: &str =
    "#include <unistd.h>\n__attribute__((constructor)) static void f(void) { for (;;) pause(); }";
const EXITS: &str = "#include <unistd.h>\n__attribute__((constructor)) static void f(void) { _exit(3); }";
const HAS_NONE: &str = "
    static int ids(unsigned n, void **p, unsigned *count) { return -1001; }
    void *clGetExtensionFunctionAddress(const char *name) { return (void *)ids; }";

#[test]
fn with_real_parts_and_a_real_server_there_is_no_problem() {
    let installation = Installation::new();
    let server = real::Server::start();
    let mut command = installation.command();
    command.env_remove("OCL_ICD_VENDORS").env("XSCHED_SOCKET", server.socket());
    let report = examine(&mut command);
    assert_eq!(
        (report.value["problems"].as_u64(), stderr(&report.output).as_str()),
        (Some(0), ""),
        "{:#}",
        report.value
    );
    report.finding("installation", "library", "is version");
    report.finding("installation", "stand_in", "libOpenCL.so.1");
    report.finding("opencl", "real_library", "libOpenCL.so.1 (/etc/ld.so.cache)");
    report.finding("opencl", "driver", "has one platform");
    report.finding("opencl", "bound", "the stand-in leads to");
    assert_eq!(report.finding("opencl", "attached", "taken in by xserver")["verdict"], "ok");
    report.finding("server", "server", &format!("(pid {}", server.child.id()));
    report.finding("server", "rights", "may steer all");
    installation.add_layer();
    let report = examine(&mut command);
    assert_eq!(report.value["problems"], 0, "{:#}", report.value);
    report.finding("installation", "layer", "OPENCL_LAYERS");
    report.finding("opencl", "bound", "the layer is in");
    let device = &report.value["devices"][0];
    assert_eq!((&device["key"], &device["level"]), (&"cpu:0".into(), &"block".into()), "{device}");
    assert!(device["limit"].as_str().unwrap().contains("no standard way"));
}

#[test]
fn the_text_is_within_eighty_columns_and_begins_with_the_conclusion() {
    let installation = Installation::new();
    installation.driver("broken", CRASHES);
    let mut command = xcli();
    command.args(["doctor", "--lib-dir"]).arg(installation.lib());
    command
        .env("OCL_ICD_VENDORS", installation.root.path().join("drivers"))
        .env("XSCHED_SOCKET", "/no/x.sock");
    let result = output(&mut command);
    let text = stdout(&result);
    assert!(text.starts_with("XSched ") && text.lines().next().unwrap().contains("problems"), "{text}");
    // What is to be typed is not broken, nor is a path.
    let is_long = |line: &&str| line.chars().count() > 80 && line.trim_start().contains(' ');
    let long: Vec<&str> = text.lines().filter(is_long).filter(|line| !line.contains("mv ")).collect();
    assert_eq!(long, [""; 0], "{text}");
    assert!(text.contains("\n  problem  the driver "), "{text}");
    assert_eq!(result.status.code(), Some(1));
    assert!(stderr(&result).ends_with("problems\n"), "{}", stderr(&result));
}

#[test]
fn a_driver_that_breaks_the_process_is_named_with_what_to_type() {
    for (name, text, check, words) in [
        ("crashing", CRASHES, "crash", "crashes (SIGSEGV) while loading"),
        ("exiting", EXITS, "crash", "ends the process with code 3 while loading"),
        ("hanging", HANGS, "hang", "hangs (for more than 3s) while loading"),
    ] {
        let installation = Installation::new();
        installation.driver(name, text);
        let mut command = installation.command();
        let report = examine(command.args(["--patience", "3"]));
        let finding = report.problem("opencl", check, words);
        assert!(finding["text"].as_str().unwrap().contains(&format!("lib{name}.so")), "{finding}");
        let mend = finding["mend"].as_str().unwrap();
        assert!(mend.starts_with("sudo mv ") && mend.contains(&format!("{name}.icd.off")), "{mend}");
        // The whole comes to grief by it too, and what comes after is looked at all the same.
        report.problem("opencl", check, "while loading the real library");
        report.problem("server", "server", "no server is running");
        report.finding("system", "memfd", "shared");
    }
}

#[test]
fn a_driver_that_cannot_be_used_is_named_with_the_reason() {
    let installation = Installation::new();
    installation.register("missing", Path::new("/no/such/libdriver.so"));
    installation.driver("empty", "int nothing;");
    installation.driver("unregistrable", "void *clGetExtensionFunctionAddress(const char *n) { return 0; }");
    installation.driver("idle", HAS_NONE);
    let report = installation.examine();
    report.problem("opencl", "driver", "/no/such/libdriver.so: cannot open shared object file");
    report.problem("opencl", "driver", "libempty.so");
    report.problem("opencl", "driver", "no clIcdGetPlatformIDsKHR");
    assert_eq!(report.finding("opencl", "driver", "finds no device")["verdict"], "note");
    report.problem("opencl", "platforms", "no platform");
}

#[test]
fn a_real_library_that_is_none_is_named() {
    let installation = Installation::new();
    let report = examine(installation.command().env("XSCHED_OPENCL_LIB", "/no/such.so"));
    let finding = report.problem("opencl", "real_library", "XSCHED_OPENCL_LIB names /no/such.so");
    assert_eq!(finding["mend"], "unset XSCHED_OPENCL_LIB");
    report.problem("opencl", "bound", "was not bound");
    report.problem("opencl", "said", "XSCHED_OPENCL_LIB=/no/such.so");

    let other = installation.root.path().join("other.so");
    compile("int clOther(void) { return 0; }", &other, &["-shared", "-fPIC"]);
    let report = examine(installation.command().env("XSCHED_OPENCL_LIB", &other));
    report.problem("opencl", "bound", "has no clGetPlatformIDs");
}

#[test]
fn an_installation_that_is_not_whole_or_of_several_versions_is_named() {
    let nothing = Installation::empty();
    nothing_else_is_looked_at(&nothing.examine(), "has no libxsched.so");

    let old = Installation::new();
    compile("int old;", &old.lib().join("libxsched.so"), &["-shared", "-fPIC"]);
    nothing_else_is_looked_at(&old.examine(), "has no xsched_probe");
    let other = r#"
        #include <unistd.h>
        #include <string.h>
        int xsched_probe(unsigned abi, const char *folder, const char *p, const char *l, int fd) {
            const char *text = "{\"library\":{\"version\":\"9.9.9\"}}\n{\"new\":1}\n\"done\"\n";
            return write(fd, text, strlen(text)) < 0;
        }"#;
    compile(other, &old.lib().join("libxsched.so"), &["-shared", "-fPIC"]);
    nothing_else_is_looked_at(&old.examine(), "is version 9.9.9");

    let broken = Installation::new();
    std::fs::remove_file(broken.lib().join("libOpenCL.so")).unwrap();
    std::fs::write(broken.lib().join("libstray.so.1"), "no library").unwrap();
    std::fs::set_permissions(broken.lib(), PermissionsExt::from_mode(0o777)).unwrap();
    let report = broken.examine();
    let finding = report.problem("installation", "stand_in", "libOpenCL.so:");
    let typed = finding["mend"].as_str().unwrap();
    assert!(output(Command::new("sh").args(["-c", typed])).status.success(), "{typed}");
    report.problem("installation", "stand_in", "libstray.so.1 is no stand-in");
    report.problem("installation", "preload", "libstray.so.1");
    report.problem("installation", "library_rights", "everybody may write");
    for typed in [
        format!("rm {}/libstray.so.1", broken.lib().display()),
        format!("chmod o-w {}", broken.lib().display()),
    ] {
        assert!(
            report.findings().any(|finding| finding["mend"] == typed.as_str()),
            "{typed}: {:#}",
            report.value
        );
        assert!(output(Command::new("sh").args(["-c", &typed])).status.success(), "{typed}");
    }
    let report = broken.examine();
    assert!(
        report.findings().all(|f| f["section"] != "installation" || f["verdict"] == "ok"),
        "what was typed mended it"
    );
}

#[track_caller]
fn nothing_else_is_looked_at(report: &Report, words: &str) {
    report.problem("installation", "library", words);
    assert!(report.findings().all(|finding| finding["section"] != "opencl"), "{:#}", report.value);
    assert!(report.findings().any(|finding| finding["section"] == "server"));
}

#[test]
fn a_stand_in_that_is_not_served_or_not_ours_is_named() {
    let installation = Installation::new();
    let stand_in = installation.lib().join("libOpenCL.so.1");
    let refused = r#"
        #include <stdio.h>
        int clGetPlatformIDs(unsigned n, void **p, unsigned *c) {
            fprintf(stderr, "xsched: a stand-in of another version\n");
            return -1001;
        }"#;
    compile(refused, &stand_in, &["-shared", "-fPIC", "-Wl,-soname,libOpenCL.so.1"]);
    let report = installation.examine();
    report.problem("opencl", "bound", "was not bound");
    report.problem("opencl", "said", "a stand-in of another version");

    std::fs::write(&stand_in, "no library").unwrap();
    let report = installation.examine();
    report.problem("installation", "preload", "libOpenCL.so.1");
    report.problem("opencl", "stand_in", "");
}

#[test]
fn settings_that_cannot_be_used_are_problems() {
    let installation = Installation::new();
    let report = examine(installation.command().env("XSCHED_GRUOP", "a").env("LD_PRELOAD", "/no/such.so"));
    let finding = report.problem("environment", "settings", "XSCHED_GRUOP: is not a setting");
    assert_eq!(finding["mend"], "unset XSCHED_GRUOP");
    assert_eq!(report.finding("environment", "preload", "/no/such.so")["verdict"], "note");
}

#[test]
fn a_server_that_is_stopped_or_gone_is_told_apart() {
    let installation = Installation::new();
    let mut server = real::Server::start();
    let pid = server.child.id().to_string();
    let signal = |name: &str| assert!(output(Command::new("kill").args([name, &pid])).status.success());
    let look = |server: &real::Server| examine(installation.command().env("XSCHED_SOCKET", server.socket()));

    signal("-STOP");
    let report = look(&server);
    assert_eq!(report.problem("server", "server_answer", "is stopped")["mend"], format!("kill -CONT {pid}"));
    signal("-CONT");

    signal("-KILL");
    server.child.wait().unwrap();
    let report = look(&server);
    assert_eq!(report.finding("server", "socket", "left behind")["verdict"], "note");
    let mend = &report.problem("server", "server", "no server is running")["mend"];
    assert_eq!(*mend, format!("xserver --socket {} &", server.socket().display()));

    std::fs::remove_file(server.socket()).unwrap();
    std::fs::write(server.socket(), "").unwrap();
    look(&server).problem("server", "socket", "is not a socket");
}

/// Needs root, to be two users.
#[test]
fn servers_of_other_users_are_told_apart() {
    if !rustix::process::geteuid().is_root() {
        return println!("not root: nothing to test");
    }
    let other = |program: &Path| {
        let mut command = Command::new("setpriv");
        command.args(["--reuid", "65534", "--regid", "65534", "--clear-groups"]).arg(program);
        command
    };
    // Where everybody can execute it.
    let installation = Installation::new();
    let copy = |program: &Path| for_everybody(program, installation.root.path());
    let xserver = copy(&build("xserver", "xserver"));
    let theirs = real::Server::start_with(other(&xserver));
    let report = examine(installation.command().env("XSCHED_SOCKET", theirs.socket()));
    report.problem("server", "server_user", "(65534)");
    report.problem("server", "server", "no server that programs");

    let roots = real::Server::start();
    let mut command = other(&copy(Path::new(crate::support::XCLI)));
    command.env_clear().env("PATH", "/usr/bin:/bin").env("XSCHED_SOCKET", roots.socket());
    let report = examine(command.args(["--json", "doctor", "--lib-dir"]).arg(installation.lib()));
    let rights = report.finding("server", "rights", "priorities up to 0");
    assert!(
        rights["verdict"] == "note" && rights["text"].as_str().unwrap().contains("his own processes only"),
        "{rights}"
    );
}

#[test]
fn no_process_is_left_behind_by_a_driver_that_starts_some() {
    let installation = Installation::new();
    let mark = "xcli-doctor-test-61803";
    let text = format!(
        "#include <unistd.h>\n__attribute__((constructor)) static void f(void) {{\
         if (!fork()) {{ execlp(\"sleep\", \"{mark}\", \"600\", (char *)0); _exit(1); }} for (;;) pause(); }}"
    );
    installation.driver("starting", &text);
    let mut command = installation.command();
    examine(command.args(["--patience", "2"])).problem("opencl", "hang", "libstarting.so");
    let left = std::fs::read_dir("/proc").unwrap().flatten().filter(|entry| {
        std::fs::read(entry.path().join("cmdline")).is_ok_and(|line| line.starts_with(mark.as_bytes()))
    });
    assert_eq!(left.count(), 0);
}

/// A process until it is dropped; it has said that it is ready.
struct Running(Child);

impl Running {
    fn start(command: &mut Command) -> Running {
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert_eq!(line, "ready\n");
        Running(child)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_program_that_runs_is_asked_whether_it_is_scheduled_and_why_not() {
    let installation = Installation::new();
    let server = real::Server::start();
    let text = r#"
        #include <dlfcn.h>
        #include <stdio.h>
        #include <string.h>
        #include <unistd.h>
        // PATH: opens that library. queue PATH: makes a queue with it, too.
        int main(int argc, char **argv) {
            void *library = argc > 1 ? dlopen(argv[argc - 1], RTLD_NOW) : 0;
            if (argc > 2) {
                int (*platforms)(unsigned, void **, unsigned *) = dlsym(library, "clGetPlatformIDs");
                int (*devices)(void *, unsigned long, unsigned, void **, unsigned *) = dlsym(library, "clGetDeviceIDs");
                void *(*context)(void *, unsigned, void **, void *, void *, int *) = dlsym(library, "clCreateContext");
                void *(*queue)(void *, void *, unsigned long, int *) = dlsym(library, "clCreateCommandQueue");
                void *platform, *device;
                platforms(1, &platform, 0);
                devices(platform, 0xFFFFFFFF, 1, &device, 0);
                if (!queue(context(0, 1, &device, 0, 0, 0), device, 0, 0)) return 1;
            }
            puts("ready");
            fflush(stdout);
            for (;;) pause();
        }"#;
    let program = installation.root.path().join("program");
    compile(text, &program, &[]);
    let look = |running: &Running| {
        let mut command = installation.command();
        command.env("XSCHED_SOCKET", server.socket());
        examine(command.args(["--pid", &running.0.id().to_string()]))
    };
    let run = |arguments: &[&str]| {
        let mut command = xcli();
        command.args(["run", "--lib-dir"]).arg(installation.lib()).arg(&program).args(arguments);
        Running::start(command.env("XSCHED_SOCKET", server.socket()))
    };
    let real = ["/usr/lib/x86_64-linux-gnu/libOpenCL.so.1", "/usr/lib64/libOpenCL.so.1"];
    let real =
        real.into_iter().find(|path| Path::new(path).exists()).expect("the system has an OpenCL loader");

    let idle = Running::start(&mut Command::new(&program));
    assert_eq!(look(&idle).finding("process", "loaded", "no library of")["verdict"], "note");

    let native = Running::start(Command::new(&program).arg(real));
    let mend = look(&native).problem("process", "loaded", "was not started by `xcli run`")["mend"].clone();
    assert_eq!(mend, format!("xcli run -- {} {real}", program.display()));

    let escaped = run(&[real]);
    look(&escaped).problem("process", "loaded", "by a path of its own");

    let scheduled = run(&["queue", "libOpenCL.so.1"]);
    let report = look(&scheduled);
    report.finding("process", "process_attached", "it is attached, with 1 queue;");
    assert_eq!(report.value["problems"], 0, "{:#}", report.value);

    // A layer reaches what is opened by its path.
    installation.add_layer();
    look(&run(&["queue", real])).finding("process", "process_attached", "it is attached, with 1 queue;");

    let mut gone = Command::new("true").spawn().unwrap();
    gone.wait().unwrap();
    let mut command = installation.command();
    examine(command.args(["--pid", &gone.id().to_string()])).problem("process", "program", "no such process");
}
