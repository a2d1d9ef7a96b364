//! `hopmark doctor`: whether a box is fit to listen on its mirror ports.
//!
//! Facts are gathered once, by `machine`, `link` and `listen`; rules (`of_machine`, `of_link`, `of_driver`, `of_heard`)
//! are pure and each say of facts what is amiss and how to mend it. Nothing is changed, except that interfaces are
//! promiscuous while they are listened on.

mod answer;
mod configured;
#[cfg(test)]
mod example;
mod link;
mod listen;
mod machine;
mod of_driver;
mod of_heard;
mod of_link;
mod of_machine;
mod repeats;
mod tally;
mod verdict;

use std::collections::BTreeMap;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, ValueEnum};

use self::answer::{Answer, Other};
use self::link::Link;
use self::listen::listen;
use self::machine::{Machine, NET_RAW};
use self::tally::Heard;
use self::verdict::{Line, SETCAP, Verdict, lines};
use crate::capture::interface::Links;

/// What `hopmark doctor` takes.
#[derive(Debug, Args)]
pub struct DoctorArgs {
    /// An interface to check; can be given several times, and then takes the place of those in the file
    #[arg(long, value_name = "NAME")]
    pub interface: Vec<String>,
    /// The operator's file, whose interfaces are checked
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// How long to listen on each interface, all at the same time; 0: not at all
    #[arg(long, value_name = "SECONDS", default_value_t = 5, value_parser = clap::value_parser!(u64).range(..=3600))]
    pub listen: u64,
    /// As text for people, or as JSON
    #[arg(long, value_enum, default_value_t = DoctorFormat::Text)]
    pub format: DoctorFormat,
}

/// How the answer is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum DoctorFormat {
    /// For people.
    Text,
    /// For programs.
    Json,
}

/// Checks the box and prints what was found; 0 where nothing fails, else 1.
///
/// # Errors
///
/// The configuration cannot be read, the kernel does not list its interfaces, or the answer cannot be written.
pub fn run(args: &DoctorArgs, out: &mut dyn Write) -> anyhow::Result<ExitCode> {
    let mut named: Vec<String> = Vec::new();
    for name in &args.interface {
        if !named.contains(name) {
            named.push(name.clone());
        }
    }
    if let (true, Some(file)) = (named.is_empty(), &args.config) {
        named = configured::interfaces(file)?;
    }
    let mut links = Links::open()?;
    let machine = Machine::gather(named.len());
    let may_capture = machine.may(NET_RAW) == Some(true);
    let heard = listen_on(&named, Duration::from_secs(args.listen), &mut links);
    let mut checks = lines("box", of_machine::CHECKS, &machine);
    let mut figures = BTreeMap::new();
    for name in &named {
        checks.extend(examine(&mut links, name, may_capture));
        match heard.get(name) {
            Some(Ok(heard)) => {
                checks.extend(lines(name, of_heard::CHECKS, heard));
                figures.insert(name.clone(), heard.clone());
            }
            Some(Err(verdict)) => {
                checks.push(Line { scope: name.clone(), check: "heard", verdict: verdict.clone() });
            }
            None => {}
        }
    }
    let others = if named.is_empty() { others(&mut links, may_capture)? } else { Vec::new() };
    let answer = Answer::new(checks, figures, others);
    let text = match args.format {
        DoctorFormat::Text => answer.text(),
        DoctorFormat::Json => answer.json()?,
    };
    out.write_all(text.as_bytes())?;
    Ok(if answer.is_fit { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

/// All lines of one interface but those of what was heard.
fn examine(links: &mut Links, name: &str, may_capture: bool) -> Vec<Line> {
    match Link::gather(links, name, may_capture) {
        Ok(link) => [lines(name, of_link::CHECKS, &link), lines(name, of_driver::CHECKS, &link)].concat(),
        Err(error) => {
            let mend = "name one of those that there are; ip link shows all";
            let verdict = Verdict::fail(error.to_string(), mend);
            vec![Line { scope: name.to_owned(), check: "kind", verdict }]
        }
    }
}

/// Listens on all interfaces that can hear anything, at the same time. What an interface cannot hear for another
/// reason is said by the line of that reason.
fn listen_on(
    named: &[String],
    length: Duration,
    links: &mut Links,
) -> BTreeMap<String, Result<Heard, Verdict>> {
    let is_up = |name: &&String| links.interface(name).is_ok_and(|link| link.is_up);
    let fit: Vec<&String> = if length.is_zero() { Vec::new() } else { named.iter().filter(is_up).collect() };
    std::thread::scope(|scope| {
        let listeners: Vec<_> = fit.iter().map(|name| scope.spawn(|| listen(name, length))).collect();
        fit.iter()
            .zip(listeners)
            .map(|(name, listener)| ((*name).clone(), outcome(listener.join())))
            .collect()
    })
}

fn outcome(joined: std::thread::Result<Result<Heard, pcap::Error>>) -> Result<Heard, Verdict> {
    match joined {
        Ok(Ok(heard)) => Ok(heard),
        Ok(Err(reason)) => Err(Verdict::fail(format!("cannot listen: {reason}"), SETCAP)),
        Err(_) => Err(Verdict::unknown("listening broke off")),
    }
}

/// The interfaces that there are, for an operator who named none.
fn others(links: &mut Links, may_capture: bool) -> anyhow::Result<Vec<Other>> {
    let names = links.names()?;
    // One that vanishes meanwhile is left out.
    let gathered = names.iter().filter_map(|name| Link::gather(links, name, may_capture).ok());
    Ok(gathered.map(|link| Other { found: summary(&link), name: link.interface.name }).collect())
}

fn summary(link: &Link) -> String {
    let state = match (link.interface.is_up, link.interface.has_carrier) {
        (false, _) => "switched off",
        (true, false) => "no link",
        (true, true) => "link",
    };
    let mtu = format!("mtu {}", link.interface.mtu);
    let amiss: Vec<&str> = of_link::CHECKS
        .iter()
        .chain(of_driver::CHECKS)
        .filter(|check| (check.run)(link).mend.is_some())
        .map(|check| check.name)
        .collect();
    let amiss = if amiss.is_empty() { String::new() } else { format!("to look at: {}", amiss.join(", ")) };
    let parts = [state.to_owned(), link.kind(), mtu, amiss];
    parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(", ")
}
