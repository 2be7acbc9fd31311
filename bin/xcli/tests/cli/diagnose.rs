//! `xcli run` says which programs it cannot help, and runs them all the same.

use crate::support::{self, compile, library_folder, output, stderr, stdout, xcli};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output};

fn run(library: &Path, program: &Path) -> Output {
    output(xcli().args(["run", "--lib-dir"]).arg(library).arg(program))
}

#[test]
fn an_ordinary_program_is_run_without_a_word() {
    let library = library_folder();
    let result = run(library.path(), Path::new("true"));
    assert_eq!((result.status.code(), stderr(&result).as_str()), (Some(0), ""));
}

#[test]
fn a_static_program_is_named_and_runs() {
    let library = library_folder();
    for flag in ["-static", "-static-pie"] {
        let program = library.path().join("static");
        compile("int main(void) { return 7; }", &program, &[flag]);
        let result = run(library.path(), &program);
        assert_eq!(result.status.code(), Some(7));
        let text = stderr(&result);
        assert!(text.contains("will run unscheduled: it is statically linked"), "{flag}: {text}");
        assert_eq!(text.lines().count(), 1);
    }
}

#[test]
fn the_interpreter_of_a_script_is_what_counts() {
    let library = library_folder();
    let interpreter = library.path().join("interpreter");
    compile("int main(void) { return 7; }", &interpreter, &["-static"]);
    let script = library.path().join("script");
    support::script(&format!("#!{}\n", interpreter.display()), &script);
    let result = run(library.path(), &script);
    assert_eq!(result.status.code(), Some(7));
    assert!(stderr(&result).contains("interpreter will run unscheduled"), "{}", stderr(&result));
}

/// musl's loader takes LD_PRELOAD too, and a program does not start with libraries that need another C library.
#[test]
fn a_program_for_another_c_library_is_named_and_runs_without_the_stand_ins() {
    let library = library_folder();
    let program = library.path().join("other");
    let text = r#"
        #include <stdio.h>
        #include <stdlib.h>
        int main(void) {
            const char *preload = getenv("LD_PRELOAD"), *path = getenv("LD_LIBRARY_PATH");
            printf("%s %s %s\n", preload ? preload : "-", path ? path : "-", getenv("XSCHED_GROUP"));
            return 7;
        }"#;
    let source = library.path().join("other.c");
    std::fs::write(&source, text).unwrap();
    let built = output(Command::new("musl-gcc").arg("-o").arg(&program).arg(&source));
    assert!(built.status.success(), "{}", stderr(&built));
    let start = |command: &mut Command| {
        let result =
            output(command.args(["run", "--group", "g", "--lib-dir"]).arg(library.path()).arg(&program));
        assert_eq!(result.status.code(), Some(7), "{}", stderr(&result));
        assert!(stderr(&result).contains("its loader is /lib/ld-musl-x86_64.so.1"), "{}", stderr(&result));
        stdout(&result)
    };
    assert_eq!(start(&mut xcli()), "- - g\n");
    // A run within a run takes the outer one's away, and nothing else.
    let dir = library.path().canonicalize().unwrap();
    let mut nested = xcli();
    nested.env("LD_LIBRARY_PATH", format!("{}:/usr/a", dir.display()));
    nested.env("LD_PRELOAD", dir.join("libfake.so.1"));
    assert_eq!(start(&mut nested), " /usr/a g\n");
}

/// An ELF header and one segment, as a linker for that machine would begin a program.
fn elf(bits: u8, machine: u16, ident: &[u8]) -> Vec<u8> {
    let mut file = vec![0; 4096];
    let mut put = |at: usize, bytes: &[u8]| file[at..at + bytes.len()].copy_from_slice(bytes);
    put(0, &[0x7f, b'E', b'L', b'F', if bits == 64 { 2 } else { 1 }, 1, 1, 0]);
    put(8, ident);
    put(16, &2u16.to_le_bytes());
    put(18, &machine.to_le_bytes());
    put(20, &1u32.to_le_bytes());
    let (header, segment): (u16, &[u8]) = if bits == 64 {
        put(32, &64u64.to_le_bytes());
        put(52, &[64, 0, 56, 0, 1]);
        (64, &[1, 0, 0, 0, 5])
    } else {
        put(28, &52u32.to_le_bytes());
        put(40, &[52, 0, 32, 0, 1]);
        (52, &[1])
    };
    put(header.into(), segment);
    if bits == 32 {
        put(52 + 24, &[5]);
    }
    file
}

#[test]
fn a_program_for_another_machine_is_named_and_is_not_handed_to_a_shell() {
    let library = library_folder();
    let program = library.path().join("program");
    for (bits, machine, words) in [(64, 183, "it is for another machine"), (32, 40, "it is a 32-bit program")]
    {
        support::install(&elf(bits, machine, &[]), &program);
        let result = run(library.path(), &program);
        let text = stderr(&result);
        assert!(text.contains(words), "{text}");
        assert!(result.status.code() == Some(126) && text.contains("Exec format error"), "{result:?}");
    }
    // Garbage is not handed to a shell either; a text is.
    support::install(b"\x01\x00\x02\necho no\n", &program);
    assert_eq!(run(library.path(), &program).status.code(), Some(126));
    support::install(b"echo \"$0 $1\"; exit 5\n", &program);
    let result =
        output(xcli().args(["run", "--lib-dir"]).arg(library.path()).arg(&program).arg("an argument"));
    assert_eq!(
        (result.status.code(), stdout(&result)),
        (Some(5), format!("{} an argument\n", program.display()))
    );
}

/// Its first part is often static, and starts the program proper with the same environment.
#[test]
fn an_app_image_is_not_taken_for_its_first_part() {
    let library = library_folder();
    let program = library.path().join("program");
    support::install(&elf(64, 62, b"AI\x02"), &program);
    assert!(!stderr(&run(library.path(), &program)).contains("unscheduled"));
    support::install(&elf(64, 62, &[]), &program);
    assert!(stderr(&run(library.path(), &program)).contains("statically linked"));
}

/// Programs with rights of their own need root to make; others see the unit tests only.
#[test]
fn what_is_said_of_a_programs_rights_is_what_the_kernel_does() {
    if !rustix::process::geteuid().is_root() {
        return println!("not root: nothing to test");
    }
    let library = library_folder();
    std::fs::set_permissions(library.path(), PermissionsExt::from_mode(0o755)).unwrap();
    let text = "#include <sys/auxv.h>\nint main(void) { return getauxval(AT_SECURE) ? 9 : 8; }";
    let program = library.path().join("program");
    compile(text, &program, &[]);
    // cap_net_raw, permitted and effective; the same, only to be inherited.
    let capability = |flags: u32, permitted: u32, inheritable: u32| {
        [0x0200_0000 | flags, permitted, inheritable, 0, 0].map(u32::to_le_bytes).concat()
    };
    let none = Vec::new;
    for (user, group, mode, capabilities) in [
        (0, 0, 0o755, none()),
        (0, 0, 0o4755, none()),
        (65534, 0, 0o4755, none()),
        (65534, 65534, 0o2755, none()),
        (0, 7, 0o2745, none()),
        (0, 0, 0o2755, none()),
        (0, 0, 0o755, capability(1, 1 << 13, 0)),
        (0, 0, 0o755, capability(0, 1 << 13, 0)),
        (0, 0, 0o755, capability(0, 0, 1 << 13)),
    ] {
        std::os::unix::fs::chown(&program, Some(user), Some(group)).unwrap();
        std::fs::set_permissions(&program, PermissionsExt::from_mode(mode)).unwrap();
        if !capabilities.is_empty() {
            let flags = rustix::fs::XattrFlags::empty();
            rustix::fs::setxattr(&program, "security.capability", &capabilities, flags).unwrap();
        }
        let nobody = ["--reuid", "65534", "--regid", "65534", "--clear-groups"];
        let careful = [&nobody[..], &["--no-new-privs"]].concat();
        for caller in [&[][..], &nobody, &careful] {
            let mut command = Command::new("setpriv");
            command.env_clear().env("PATH", "/usr/bin:/bin").args(caller);
            command.arg(support::for_everybody(support::XCLI, library.path()));
            let result = output(command.args(["run", "--lib-dir"]).arg(library.path()).arg(&program));
            let is_secure = match result.status.code() {
                Some(9) => true,
                Some(8) => false,
                _ => panic!("{result:?}"),
            };
            assert_eq!(
                stderr(&result).contains("the loader ignores LD_PRELOAD"),
                is_secure,
                "{user}:{group} {mode:o} {capabilities:?} by {caller:?}: {}",
                stderr(&result)
            );
        }
    }
}

#[test]
fn a_warning_is_one_json_value_when_asked_for() {
    let library = library_folder();
    let program = library.path().join("static");
    compile("#include <stdio.h>\nint main(void) { puts(\"out\"); return 0; }", &program, &["-static"]);
    let result = output(xcli().args(["--json", "run", "--lib-dir"]).arg(library.path()).arg(&program));
    let warning: serde_json::Value = serde_json::from_slice(&result.stderr).unwrap();
    assert!(warning["warning"].as_str().unwrap().contains("statically linked"), "{warning}");
    assert_eq!(stdout(&result), "out\n", "the program's output is its own");
}
