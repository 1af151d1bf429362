//! Refusals of this module; codes 720 to 739.

use guts_schema::Code;

use crate::fault::Fault;

pub(super) fn label_unknown(path: &str, label: &str) -> Fault {
    Fault::refuse(Code::LabelUnknown, &[&path, &label])
}

pub(super) fn milestone_unknown(path: &str, milestone: u64) -> Fault {
    Fault::refuse(Code::MilestoneUnknown, &[&path, &milestone])
}

pub(super) fn many(path: &str, count: usize) -> Fault {
    Fault::refuse(Code::LabelsMany, &[&path, &count])
}

pub(super) fn assignee(who: &str, path: &str) -> Fault {
    Fault::refuse(Code::AssigneeRole, &[&who, &path])
}

pub(super) fn pins_many(path: &str, count: usize) -> Fault {
    Fault::refuse(Code::PinsMany, &[&path, &count])
}
