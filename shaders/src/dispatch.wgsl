// How the workgroups of one dispatch are shared among its jobs: put in front of every kernel that runs jobs.
//
// Bindings: 0 dispatch: Dispatch. 2 starts: array<u32>, one for each job: its first workgroup, ascending.
// Dispatch shape: (x, y, 1) with x * y >= dispatch.workgroup_count; workgroups are counted in rows.

struct Dispatch {
    job_count: u32,
    workgroup_count: u32,
    padding: vec2<u32>,
}

@group(0) @binding(0) var<uniform> dispatch: Dispatch;
@group(0) @binding(2) var<storage, read> starts: array<u32>;

// Samples that one workgroup of a sample-wise kernel makes.

// The last job that starts at or before the workgroup: jobs without workgroups are never found.
fn find_job(workgroup: u32) -> u32 {
    var found = 0u;
    var end = dispatch.job_count;
    while (end - found > 1u) {
        let middle = found + (end - found) / 2u;
        if (starts[middle] <= workgroup) {
            found = middle;
        } else {
            end = middle;
        }
    }
    return found;
}
