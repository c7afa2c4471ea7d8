//! What a process and its children use, as the kernel counts it.

use std::fs;

/// A process and its children.
pub(crate) struct Usage {
    pids: Vec<u32>,
}

/// Processor time so far.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Cpu {
    /// In nanoseconds, of threads that still live.
    pub(crate) ns: f64,
    /// Ticks in the program itself, and in the kernel for it.
    pub(crate) user: f64,
    pub(crate) system: f64,
}

impl Usage {
    /// Looks for the children as they are now.
    pub(crate) fn of(pid: u32) -> Self {
        let mut pids = vec![pid];
        let mut at = 0;
        while let Some(parent) = pids.get(at) {
            let tasks = fs::read_dir(format!("/proc/{parent}/task")).into_iter().flatten().flatten();
            let children: Vec<u32> = tasks
                .filter_map(|task| fs::read_to_string(task.path().join("children")).ok())
                .flat_map(|text| text.split_whitespace().filter_map(|pid| pid.parse().ok()).collect::<Vec<_>>())
                .collect();
            pids.extend(children);
            at += 1;
        }
        Self { pids }
    }

    /// Processor time until now.
    pub(crate) fn cpu(&self) -> Cpu {
        let mut cpu = Cpu::default();
        for pid in &self.pids {
            for task in fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten() {
                let text = fs::read_to_string(task.path().join("schedstat")).unwrap_or_default();
                cpu.ns += text.split(' ').next().and_then(|ns| ns.parse::<f64>().ok()).unwrap_or_default();
            }
            let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
            let after_name: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
            let ticks = |at: usize| after_name.get(at).and_then(|it| it.parse::<f64>().ok()).unwrap_or_default();
            cpu.user += ticks(11);
            cpu.system += ticks(12);
        }
        cpu
    }

    /// Bytes in memory.
    pub(crate) fn memory(&self) -> f64 {
        let of = |pid: &u32| {
            let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
            let kib = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or("0 kB");
            kib.trim().trim_end_matches(" kB").parse::<f64>().unwrap_or_default() * 1024.0
        };
        self.pids.iter().map(of).sum()
    }

    /// Open descriptors.
    pub(crate) fn descriptors(&self) -> f64 {
        let of = |pid: &u32| fs::read_dir(format!("/proc/{pid}/fd")).map_or(0, Iterator::count);
        self.pids.iter().map(of).sum::<usize>() as f64
    }
}
