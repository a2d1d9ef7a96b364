//! The filter of system calls, by seccomp: from lists to programs.

use std::collections::BTreeMap;
use std::process;

use libc::c_long;
use seccompiler::{
    BackendError, BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule,
};

use super::syscalls::{ANY, ANY_OLD, CAPTURING, DEADLY, IOCTLS, OPENING};

/// Which of the two processes is locked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// It captures, parses and serves, without any capability.
    Capturing,
    /// It opens, with capabilities, and parses nothing.
    Opening,
}

type Rules = BTreeMap<c_long, Vec<SeccompRule>>;

/// Lets all threads of this process make only the calls of its role from now on.
pub(super) fn restrict(role: Role) -> seccompiler::Result<()> {
    // The allowing one comes last: behind it no other can be set.
    for program in programs(role)? {
        seccompiler::apply_filter_all_threads(&program)?;
    }
    Ok(())
}

fn programs(role: Role) -> Result<[BpfProgram; 3], BackendError> {
    let deadly = DEADLY.iter().copied().chain((role == Role::Capturing).then_some(libc::SYS_bpf));
    // Its flags lie in memory that no filter reads; told that there is none, libraries start threads by clone.
    let missing = [libc::SYS_clone3];
    Ok([
        program(whole(deadly), SeccompAction::Allow, SeccompAction::KillProcess)?,
        program(whole(missing), SeccompAction::Allow, errno(libc::ENOSYS))?,
        program(allowed(role)?, errno(libc::EPERM), SeccompAction::Allow)?,
    ])
}

fn program(rules: Rules, else_do: SeccompAction, then_do: SeccompAction) -> Result<BpfProgram, BackendError> {
    SeccompFilter::new(rules, else_do, then_do, std::env::consts::ARCH.try_into()?)?.try_into()
}

fn errno(number: i32) -> SeccompAction {
    SeccompAction::Errno(number.unsigned_abs())
}

/// Calls without conditions.
fn whole(calls: impl IntoIterator<Item = c_long>) -> Rules {
    calls.into_iter().map(|call| (call, Vec::new())).collect()
}

fn allowed(role: Role) -> Result<Rules, BackendError> {
    let mine = match role {
        Role::Capturing => CAPTURING,
        Role::Opening => OPENING,
    };
    let mut rules = whole([ANY, ANY_OLD, mine].into_iter().flatten().copied());
    let this_process = u64::from(process::id());

    // A thread, in this process and its namespaces; never a process.
    let thread = bits(libc::CLONE_THREAD);
    rules.insert(libc::SYS_clone, vec![rule(vec![masked(0, thread, thread)?, masked(0, NAMESPACES, 0)?])?]);
    // Memory that is code was mapped before.
    let executable = bits(libc::PROT_EXEC);
    rules.insert(libc::SYS_mmap, vec![rule(vec![masked(2, executable, 0)?])?]);
    rules.insert(libc::SYS_mprotect, vec![rule(vec![masked(2, executable, 0)?])?]);
    // Only names: of threads, and of memory.
    let names = [bits(libc::PR_SET_NAME), bits(libc::PR_GET_NAME), PR_SET_VMA];
    rules.insert(libc::SYS_prctl, any_of(0, &names)?);
    // A signal to itself is how a process aborts.
    rules.insert(libc::SYS_tgkill, any_of(0, &[this_process])?);
    // With this flag a sending is a connecting.
    let fast_open = bits(libc::MSG_FASTOPEN);
    rules.insert(libc::SYS_sendto, vec![rule(vec![masked(3, fast_open, 0)?])?]);
    rules.insert(libc::SYS_sendmsg, vec![rule(vec![masked(2, fast_open, 0)?])?]);

    match role {
        Role::Capturing => {
            let listener = |family: i32| {
                rule(vec![equal(0, bits(family))?, masked(1, SOCKET_TYPE, bits(libc::SOCK_STREAM))?])
            };
            rules.insert(libc::SYS_socket, vec![listener(libc::AF_INET)?, listener(libc::AF_INET6)?]);
            rules.insert(libc::SYS_ioctl, any_of(1, IOCTLS)?);
            // Limits are read; the third argument would set them.
            let no_new_limit = SeccompCondition::new(2, SeccompCmpArgLen::Qword, SeccompCmpOp::Eq, 0)?;
            rules.insert(libc::SYS_prlimit64, vec![rule(vec![no_new_limit])?]);
        }
        Role::Opening => {
            rules.insert(libc::SYS_prlimit64, any_of(0, &[0, this_process])?);
        }
    }
    Ok(rules)
}

/// Flags of clone(2) that make a namespace.
const NAMESPACES: u64 = bits(
    libc::CLONE_NEWNS
        | libc::CLONE_NEWUTS
        | libc::CLONE_NEWIPC
        | libc::CLONE_NEWUSER
        | libc::CLONE_NEWPID
        | libc::CLONE_NEWNET
        | libc::CLONE_NEWCGROUP,
);
/// The type in the second argument of socket(2), without its flags.
const SOCKET_TYPE: u64 = 0xf;
/// Names a mapping, as allocators do: prctl(2).
const PR_SET_VMA: u64 = 0x5356_4d41;

const fn bits(flags: i32) -> u64 {
    flags.cast_unsigned() as u64
}

fn rule(conditions: Vec<SeccompCondition>) -> Result<SeccompRule, BackendError> {
    SeccompRule::new(conditions)
}

fn any_of(argument: u8, values: &[u64]) -> Result<Vec<SeccompRule>, BackendError> {
    values.iter().map(|value| rule(vec![equal(argument, *value)?])).collect()
}

fn equal(argument: u8, value: u64) -> Result<SeccompCondition, BackendError> {
    SeccompCondition::new(argument, SeccompCmpArgLen::Dword, SeccompCmpOp::Eq, value)
}

fn masked(argument: u8, mask: u64, value: u64) -> Result<SeccompCondition, BackendError> {
    SeccompCondition::new(argument, SeccompCmpArgLen::Dword, SeccompCmpOp::MaskedEq(mask), value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_roles_have_programs_that_the_kernel_takes_by_their_length() {
        for role in [Role::Capturing, Role::Opening] {
            for program in programs(role).unwrap() {
                assert!((2..=4096).contains(&program.len()), "{role:?}: {} instructions", program.len());
            }
        }
    }

    #[test]
    fn no_call_is_both_allowed_and_deadly() {
        for role in [Role::Capturing, Role::Opening] {
            let allowed = allowed(role).unwrap();
            let both: Vec<_> = DEADLY.iter().filter(|call| allowed.contains_key(call)).collect();
            assert!(both.is_empty(), "{role:?}: {both:?}");
        }
        assert!(!allowed(Role::Capturing).unwrap().contains_key(&libc::SYS_bpf));
    }

    #[test]
    fn neither_role_connects() {
        for role in [Role::Capturing, Role::Opening] {
            assert!(!allowed(role).unwrap().contains_key(&libc::SYS_connect), "{role:?}");
        }
    }
}
