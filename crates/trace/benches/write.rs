//! What a recording costs the thread that decides: an edge and its decision into bytes, as xserver has them written.
//!
//! `cargo bench -p xsched-trace` prints; nothing is asserted. `crates/sched/benches/decide.rs` has what the decision itself costs.

use criterion::Criterion;
use xsched_core::{ClientId, DeviceId, Event, Operation, QueueId, Time};
use xsched_trace::{Header, Writer};

fn main() {
    let mut criterion = Criterion::default().sample_size(20).configure_from_args();
    criterion.bench_function("an event and a decision of three operations", |b| {
        let (client, device) = (ClientId(700), DeviceId(1));
        let operations = [
            Operation::Await { client: ClientId(3), device },
            Operation::Suspend { client, device },
            Operation::Resume { client: ClientId(3), device },
        ];
        let (mut writer, mut now) = (Writer::new(&Header::default()), 0);
        b.iter(|| {
            now += 100_000;
            let time = Time::from_nanos(now);
            writer.event(&Event::QueueReady { queue: QueueId(7_000) }, time);
            writer.decision(&operations, Some(Time::from_nanos(now + 5_000_000)), time);
            if writer.len() >= 64 << 10 {
                writer.take();
            }
        });
    });
    criterion.final_summary();
}
