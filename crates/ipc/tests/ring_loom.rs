//! Proofs by loom of the event ring and its doorbell.
#![cfg(loom)]

use loom::sync::Arc;
use loom::sync::atomic::{AtomicUsize, Ordering};
use loom::thread;
use xsched_ipc::ring::Ring;

/// The doorbell: a count that the consumer can sleep on; loom finds the deadlock if it is not rung.
struct Bell(loom::sync::Mutex<usize>, loom::sync::Condvar);

impl Bell {
    fn ring(&self) {
        *self.0.lock().unwrap() += 1;
        self.1.notify_one();
    }
    fn wait(&self, seen: &mut usize) {
        let mut rung = self.0.lock().unwrap();
        while *rung == *seen {
            rung = self.1.wait(rung).unwrap();
        }
        *seen = *rung;
    }
}

#[test]
fn every_entry_reaches_a_consumer_that_sleeps_until_the_doorbell_rings() {
    loom::model(|| {
        let both = Arc::new((Ring::default(), Bell(loom::sync::Mutex::new(0), loom::sync::Condvar::new())));
        let producer = {
            let both = Arc::clone(&both);
            thread::spawn(move || {
                for entry in [1, 2] {
                    if both.0.push(entry) {
                        both.1.ring();
                    }
                }
            })
        };
        let (mut seen, mut got) = (0, Vec::new());
        while got.len() < 2 {
            both.1.wait(&mut seen);
            assert!(!both.0.drain(|entry| got.push(entry)));
        }
        assert_eq!(got, [1, 2]);
        producer.join().unwrap();
    });
}

#[test]
fn what_happened_before_a_push_is_seen_by_whoever_takes_the_entry() {
    loom::model(|| {
        let both = Arc::new((Ring::default(), AtomicUsize::new(0)));
        let producer = {
            let both = Arc::clone(&both);
            thread::spawn(move || {
                both.1.store(7, Ordering::Relaxed);
                let _ = both.0.push(1);
            })
        };
        let lost = both.0.drain(|_| assert_eq!(both.1.load(Ordering::Relaxed), 7));
        assert!(!lost);
        producer.join().unwrap();
    });
}
