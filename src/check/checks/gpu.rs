//! Do graphics processors have a driver that programs can compute with? Never more than a warning: a login node
//! has none, and Spack builds for them without one.

use std::path::{Path, PathBuf};

use super::super::definition::{Check, CheckContext, Looking};
use super::super::finding::Finding;
use super::super::program;
use super::super::site_view::SiteView;
use crate::base::{Kind, Result, words};
use crate::world::Eyes;

pub const CHECK: Check = Check {
    name: "gpu",
    doc: "GPUs of NVIDIA, AMD and Intel have a driver. Only warns.",
    needs: &[],
    timeout: super::QUICK,
    optional: true,
    run,
};

/// PCI vendor, name, the kernel drivers that can compute.
const VENDORS: &[(&str, &str, &[&str])] = &[
    ("0x10de", "NVIDIA", &["nvidia"]),
    ("0x1002", "AMD", &["amdgpu"]),
    ("0x8086", "Intel", &["i915", "xe"]),
];

fn run(look: CheckContext) -> Looking {
    Box::pin(judge(look))
}

async fn judge(look: CheckContext) -> Result<Vec<Finding>> {
    let cx = look.cx.clone();
    let devices = cx.blocking(|cx| Ok(devices(&*cx.world.eyes, Path::new("/")))).await?;
    let mut out = kernel(&devices);
    if devices.iter().any(|d| d.vendor == "NVIDIA" && d.driver.as_deref() == Some("nvidia")) {
        out.extend(nvidia(&look).await?);
    }
    if out.is_empty() {
        out.push(Finding::skipped("no GPU of NVIDIA, AMD or Intel in this machine"));
    }
    Ok(out)
}

#[derive(Debug, PartialEq, Eq)]
struct Device {
    vendor: &'static str,
    driver: Option<String>,
    /// The driver can compute.
    usable: bool,
}

/// Display and 3D controllers, and processing accelerators, of the vendors that Spack packages serve.
fn devices(eyes: &dyn Eyes, root: &Path) -> Vec<Device> {
    let bus = root.join("sys/bus/pci/devices");
    let value = |device: &Path, name: &str| {
        eyes.read_text(&device.join(name)).map(|t| t.trim().to_owned()).unwrap_or_default()
    };
    let mut out = Vec::new();
    for name in eyes.list(&bus).unwrap_or_default() {
        let device = bus.join(name);
        let class = value(&device, "class");
        let vendor = value(&device, "vendor");
        let Some((_, vendor, drivers)) = VENDORS.iter().find(|(id, ..)| *id == vendor) else { continue };
        if !(class.starts_with("0x03") || class.starts_with("0x1200")) {
            continue;
        }
        let link = eyes.read_link(&device.join("driver")).ok();
        let driver = link.as_ref().and_then(|l| l.file_name()).map(|n| n.to_string_lossy().into_owned());
        let usable = driver.as_deref().is_some_and(|d| drivers.contains(&d));
        // An accelerator of Intel's that is no GPU has a driver of its own.
        if class.starts_with("0x1200") && *vendor == "Intel" && !usable {
            continue;
        }
        out.push(Device { vendor, driver, usable });
    }
    out
}

fn kernel(devices: &[Device]) -> Vec<Finding> {
    let mut out = Vec::new();
    for (_, vendor, drivers) in VENDORS {
        let theirs: Vec<&Device> = devices.iter().filter(|d| d.vendor == *vendor).collect();
        let Some(first) = theirs.first() else { continue };
        let count = words::count(theirs.len(), &format!("{vendor} GPU"));
        let finding = match theirs.iter().find(|d| !d.usable) {
            None => {
                Finding::pass(format!("{count} with driver {}", first.driver.as_deref().unwrap_or_default()))
            }
            Some(bad) => {
                let has =
                    bad.driver.as_deref().map_or_else(|| "no driver".to_owned(), |d| format!("driver {d}"));
                Finding::warn(format!("{count}, one with {has}"))
                    .fix(format!("install the {vendor} driver ({}) for this kernel", drivers.join(" or ")))
            }
        };
        out.push(finding.about(*vendor).measure(theirs.len() as f64, "GPUs"));
    }
    out
}

/// The kernel's driver and the library of the same vendor must match; `nvidia-smi` says so.
async fn nvidia(look: &CheckContext) -> Result<Option<Finding>> {
    let Some(tool): Option<PathBuf> = SiteView::program(&look.cx, "nvidia-smi") else { return Ok(None) };
    let tool = tool.display().to_string();
    let argv = [tool.as_str(), "--query-gpu=driver_version", "--format=csv,noheader"];
    let told = |text: String| Ok(Some(Finding::warn(text).about("nvidia-smi")));
    match program::ask(&look.cx, &argv, look.program_limit()).await {
        Err(t) if t.is(Kind::Cancelled) => Err(t),
        Err(t) => told(t.message().to_owned()),
        Ok(ran) if ran.ended.is_some() => told(format!("{tool} does not answer")),
        Ok(ran) if !ran.ok() => {
            let said = ran.stdout.lines().chain(ran.stderr.lines()).find(|l| !l.trim().is_empty());
            told(said.unwrap_or("nvidia-smi fails and says nothing").trim().to_owned())
                .map(|f| f.map(|f| f.fix("restart the machine after a driver update, or install driver and library of one version")))
        }
        Ok(_) => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::Status;
    use crate::world::fs::eyes::LiveEyes;

    fn machine(devices: &[(&str, &str, Option<&str>)]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for (at, (vendor, class, driver)) in devices.iter().enumerate() {
            let folder = root.path().join(format!("sys/bus/pci/devices/0000:00:{at:02}.0"));
            std::fs::create_dir_all(&folder).unwrap();
            std::fs::write(folder.join("vendor"), format!("{vendor}\n")).unwrap();
            std::fs::write(folder.join("class"), format!("{class}\n")).unwrap();
            if let Some(driver) = driver {
                std::os::unix::fs::symlink(format!("../../drivers/{driver}"), folder.join("driver")).unwrap();
            }
        }
        root
    }

    #[test]
    fn drivers_that_cannot_compute_are_warned_about() {
        for (found, wanted) in [
            (vec![], vec![]),
            (vec![("0x10de", "0x030200", Some("nvidia"))], vec![("NVIDIA", Status::Pass)]),
            (vec![("0x10de", "0x030000", Some("nouveau"))], vec![("NVIDIA", Status::Warn)]),
            (vec![("0x1002", "0x038000", None)], vec![("AMD", Status::Warn)]),
            (vec![("0x8086", "0x030000", Some("i915"))], vec![("Intel", Status::Pass)]),
            // A network card, a server's console chip.
            (vec![("0x8086", "0x020000", Some("e1000e")), ("0x1a03", "0x030000", Some("ast"))], vec![]),
        ] {
            let root = machine(&found);
            let findings = kernel(&devices(&LiveEyes, root.path()));
            let told: Vec<(&str, Status)> =
                findings.iter().map(|f| (f.subject.as_deref().unwrap(), f.status)).collect();
            assert_eq!(told, wanted, "{found:?}");
            assert!(findings.iter().all(|f| f.fix.is_some() == (f.status == Status::Warn)));
        }
    }
}
