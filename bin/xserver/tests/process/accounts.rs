//! What the server counts, as control clients see it.

use crate::guest::Guest;
use crate::harness::{Server, wait};
use xsched_core::HintKind;
use xsched_core::account::{Account, Totals, What};
use xsched_ipc::control::{Reply, Request, Target};

fn totals(server: &Server) -> Totals {
    let Reply::Server(status) = server.ask(Request::Status) else { panic!("not a status") };
    status.totals.unwrap()
}

fn account(server: &Server, program: &str) -> Account {
    let clients = server.list();
    let client = clients.iter().find(|client| client.program == program).unwrap();
    client.accounts.first().unwrap().clone()
}

#[test]
fn who_was_held_for_whom_and_for_how_long_is_in_the_list() {
    let server = Server::start(&["HPF"]);
    let (greedy, urgent) = (Guest::attach(&server, "greedy", 0), Guest::attach(&server, "urgent", 5));
    greedy.launch(0);
    wait("it counts as running", || server.list().iter().any(|client| client.accounts.len() == 1));
    urgent.launch(0);
    wait("it is held", || greedy.is_held());
    std::thread::sleep(std::time::Duration::from_millis(30));
    urgent.finish(0);
    wait("it may go on", || !greedy.is_held());
    let by = server.list().iter().find(|client| client.program == "urgent").unwrap().client;
    let greedy = account(&server, "greedy");
    assert_eq!((greedy.suspensions, greedy.closing.count, greedy.waits.count), (1, 1, 1));
    assert!(greedy.waiting_ns >= 30_000_000 && greedy.waiting_ns == greedy.suspended_ns, "{greedy:?}");
    assert_eq!(greedy.held_by.first().map(|held| (held.client, held.ns)), Some((by, greedy.waiting_ns)));
    let urgent = account(&server, "urgent");
    assert!(urgent.running_ns >= 30_000_000 && urgent.waiting_ns == 0, "{urgent:?}");
    let all = totals(&server);
    assert_eq!((all.suspensions, all.attached, all.closing.count), (1, 2, 1));
    assert!(all.closing.max_ns < all.now.since(all.started).as_nanos() as u64);
}

#[test]
fn what_happens_is_told_to_who_follows_in_its_order_and_without_gaps() {
    let server = Server::start(&["HPF"]);
    let control = server.control();
    let follow = |from| match control.ask(&Request::Follow { from }).unwrap().1 {
        Reply::Happenings { next, lost: 0, list } => (next, list),
        other => panic!("{other:?}"),
    };
    let (mut next, list) = follow(None);
    assert!(list.is_empty());
    let (greedy, urgent) = (Guest::attach(&server, "greedy", 0), Guest::attach(&server, "urgent", 5));
    greedy.launch(0);
    let mut all = Vec::new();
    wait("both are ready", || {
        urgent.launch(0);
        let list;
        (next, list) = follow(Some(next));
        all.extend(list);
        all.iter().any(|happening| matches!(happening.what, What::Closed { .. }))
    });
    assert!(all.windows(2).all(|pair| pair[0].seq + 1 == pair[1].seq && pair[0].at <= pair[1].at));
    let position = |is: &dyn Fn(&What) -> bool| all.iter().position(|happening| is(&happening.what)).unwrap();
    let ready = position(&|what| matches!(what, What::Ready { .. }));
    let suspend = position(&|what| matches!(what, What::Suspend { .. }));
    assert!(ready < suspend && position(&|what| matches!(what, What::Closed { .. })) > suspend);
}

#[test]
fn hint_that_is_given_and_taken_back_is_told_to_who_follows() {
    let server = Server::start(&["HPF"]);
    let control = server.control();
    let follow = |from| match control.ask(&Request::Follow { from }).unwrap().1 {
        Reply::Happenings { next, list, .. } => (next, list),
        other => panic!("{other:?}"),
    };
    let _guest = Guest::attach(&server, "it", 0);
    let client = server.list()[0].client;
    let (from, _) = follow(None);
    let (target, kind) = (Target::Client(client), HintKind::Priority);
    server.ask(Request::Hint { target: target.clone(), kind, value: 7 });
    server.ask(Request::Unset { target, kind });
    let (_, list) = follow(Some(from));
    let told: Vec<_> = list
        .into_iter()
        .filter_map(|happening| match happening.what {
            What::Hint { client: Some(who), queue: None, name, value } => Some((who, name, value)),
            _ => None,
        })
        .collect();
    assert_eq!(told.first(), Some(&(client, kind, Some(7))), "{told:?}");
    assert!(told.len() > 1 && told.last().unwrap().2 != Some(7), "{told:?}");
}
