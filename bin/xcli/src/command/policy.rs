//! `xcli policy`: shows the policy in force and those there are, or changes it.

use crate::args::not_empty;
use crate::context::Context;
use crate::failure::Failure;
use crate::output::wrap;
use clap::Args;
use serde::Serialize;
use xsched_client::Policies;

/// Show the policy and those there are, or change it
#[derive(Debug, Args)]
pub(crate) struct Policy {
    /// The policy to change to; without it, policies are shown
    #[arg(value_name = "NAME", value_parser = not_empty, conflicts_with_all = ["set", "query"])]
    name: Option<String>,

    /// Change the policy, as earlier versions spell it: -s -n NAME
    #[arg(short, long, requires = "set_name", hide_short_help = true)]
    set: bool,

    /// See --set
    #[arg(id = "set_name", short = 'n', long = "name", value_name = "NAME", value_parser = not_empty, requires = "set", hide_short_help = true)]
    set_name: Option<String>,

    /// Show the policies, as earlier versions spell it
    #[arg(short, long, conflicts_with = "set", hide_short_help = true)]
    query: bool,
}

/// The shape of its JSON.
#[derive(Debug, Serialize)]
struct Shown<'a> {
    current: &'a str,
    available: Vec<Available<'a>>,
}

#[derive(Debug, Serialize)]
struct Available<'a> {
    name: &'a str,
    help: &'a str,
}

impl Policy {
    pub(crate) fn execute(self, context: &Context) -> Result<(), Failure> {
        let mut client = context.connect()?;
        let name = self.name.or(self.set_name);
        let policies = match &name {
            Some(name) => client.set_policy(name)?,
            None => client.policy()?,
        };
        let available = policies.available.iter().map(|(name, help)| Available { name, help }).collect();
        let shown = Shown { current: &policies.current, available };
        context.output.result(&shown, || match name {
            Some(_) => format!("policy {} is in force\n", policies.current),
            None => text(&policies),
        })
    }
}

/// A star marks the policy in force.
fn text(policies: &Policies) -> String {
    let entry = |(name, help): &(String, String)| {
        let mark = if *name == policies.current { '*' } else { ' ' };
        format!("{mark} {name}\n{}", wrap(help, 4))
    };
    policies.available.iter().map(entry).collect()
}
