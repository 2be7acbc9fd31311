//! One look at a driver that is not known yet: what its library asks the resource manager for, whether what is looked for among that is there, and what each control answers.
//! Every control is used on a context of this program's own, and leaves it as it was.

use anyhow::{Context, Result};
use std::os::fd::AsFd;
use std::time::Duration;
use xsched_cuda_control::abi::{self, ControlBlock, DisableChannels, GidInfo, Preempt, PreemptionMode};
use xsched_cuda_control::{Channels, Control, Mode, Refusal};

/// Looks, and prints what it saw. A context has just been made.
pub(super) fn look() -> Result<()> {
    let seen = xsched_platform_cuda::seen();
    if let Some(why) = seen.deaf {
        println!(
            "**The library's calls are not heard: {why}.** Look at `platforms/cuda/src/rm/slot.rs`: through which word does it call `ioctl` now?"
        );
        return Ok(());
    }
    println!(
        "Objects that the library has made for one context:\n\n| class | what it is taken for | made |\n|---|---|--:|"
    );
    for (class, count) in &seen.classes {
        println!("| 0x{class:04x} | {} | {count} |", name(*class));
    }
    let has = |is: &dyn Fn(u32) -> bool| seen.classes.iter().any(|(class, _)| is(*class));
    for (what, is_there) in [
        ("channel group", has(&|class| class == abi::CHANNEL_GROUP)),
        ("channel", has(&abi::is_channel)),
        ("object that computes", has(&abi::is_compute)),
    ] {
        if !is_there {
            println!(
                "\n**No {what} among them**: look for its new class in the driver's `class/` headers, and at `abi.rs`."
            );
        }
    }
    for (number, size) in &seen.odd {
        println!(
            "\n**Request 0x{number:02x} has a block of {size} bytes**, which `observe.rs` does not know: look at `nvos.h`."
        );
    }
    let (remote, groups) = match super::lent() {
        Ok(lent) => lent,
        Err(why) => {
            println!("\n**No group of channels was found, or it does not answer: {why:#}.**");
            return Ok(());
        }
    };
    let group = groups.first().context("a group")?;
    let file = remote.fds.first().context("a file")?;
    let control = Control::new(file.as_fd())?;
    println!(
        "\nThe group that computes: 0x{:x} of client 0x{:x}, with {} channels, on {}.\n",
        group.group,
        group.client,
        group.channels.len(),
        group.device
    );
    println!("| control | number | bytes of parameters | answer |\n|---|---|--:|---|");
    let mut refused = 0;
    for (what, number, bytes, answer) in answers(&control, group) {
        refused += u32::from(answer.is_err());
        let answer = answer.unwrap_or_else(|why| format!("**{why}**"));
        println!("| {what} | 0x{number:08x} | {bytes} | {answer} |");
    }
    println!(
        "\nA control's block is {} bytes. {}",
        size_of::<ControlBlock>(),
        match refused {
            0 => "All answer: Level 3 is to be had with this driver.".to_owned(),
            some => format!(
                "{some} refused: compare their parameters with the driver's `ctrl/` headers, and `abi.rs`."
            ),
        }
    );
    Ok(())
}

/// A control: its name, number, size of parameters, and what it answered.
type Answer = (&'static str, u32, usize, Result<String, Refusal>);

fn answers(control: &Control<'_>, group: &Channels) -> Vec<Answer> {
    let slice = control.slice(group);
    let same = slice.unwrap_or(Duration::from_micros(2048));
    let done = |outcome: Result<(), Refusal>| outcome.map(|()| "done".to_owned());
    let (turn, mode, channels) =
        (size_of::<u64>(), size_of::<PreemptionMode>(), size_of::<DisableChannels>());
    vec![
        (
            "UUID",
            abi::GET_GID_INFO,
            size_of::<GidInfo>(),
            control.uuid(group.client, group.subdevice).map(|uuid| format!("{uuid:02x?}")),
        ),
        ("length of a turn", abi::GET_TIMESLICE, turn, slice.map(|slice| format!("{slice:?}"))),
        ("the same as it is", abi::SET_TIMESLICE, turn, done(control.set_slice(group, same))),
        (
            "instruction level",
            abi::SET_PREEMPTION_MODE,
            mode,
            done(control.set_mode(group, Mode::Instruction)),
        ),
        (
            "thread-block level, as it was",
            abi::SET_PREEMPTION_MODE,
            mode,
            done(control.set_mode(group, Mode::ThreadBlock)),
        ),
        (
            "switched out once",
            abi::PREEMPT,
            size_of::<Preempt>(),
            done(control.preempt(group, Duration::from_millis(10))),
        ),
        ("stopped", abi::DISABLE_CHANNELS, channels, done(control.hold(group))),
        ("let go", abi::DISABLE_CHANNELS, channels, done(control.release(group))),
    ]
}

fn name(class: u32) -> &'static str {
    match class {
        class if abi::ROOTS.contains(&class) => "client",
        abi::DEVICE => "GPU",
        abi::SUBDEVICE => "board",
        abi::CHANNEL_GROUP => "channel group",
        class if abi::is_channel(class) => "channel",
        class if abi::is_compute(class) => "computes",
        _ => "–",
    }
}
