package checker

import (
	"errors"
	"fmt"
	"os/exec"
	"time"
	"unsafe"

	"golang.org/x/sys/windows"
)

// A tree is a process and its descendants: on Windows, a job object, which no
// descendant can leave.
type tree struct{ job windows.Handle }

func startTree(cmd *exec.Cmd) (*tree, error) {
	job, err := windows.CreateJobObject(nil, nil)
	if err != nil {
		return nil, fmt.Errorf("creating job object: %w", err)
	}
	t := &tree{job: job}
	info := windows.JOBOBJECT_EXTENDED_LIMIT_INFORMATION{}
	info.BasicLimitInformation.LimitFlags = windows.JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE
	if _, err := windows.SetInformationJobObject(job, windows.JobObjectExtendedLimitInformation,
		uintptr(unsafe.Pointer(&info)), uint32(unsafe.Sizeof(info))); err != nil {
		t.close()
		return nil, fmt.Errorf("limiting job object: %w", err)
	}
	if err := cmd.Start(); err != nil {
		t.close()
		return nil, err
	}
	process, err := windows.OpenProcess(windows.PROCESS_SET_QUOTA|windows.PROCESS_TERMINATE, false, uint32(cmd.Process.Pid))
	if err == nil {
		err = windows.AssignProcessToJobObject(job, process)
		_ = windows.CloseHandle(process)
	}
	if err != nil {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		t.close()
		return nil, fmt.Errorf("assigning process to job object: %w", err)
	}
	return t, nil
}

// kill ends every process of the tree. It may be called when none is left.
func (t *tree) kill() { _ = windows.TerminateJobObject(t.job, 1) }

// dump would ask the process to print its goroutines; Windows has no signal
// for that.
func (t *tree) dump() error { return errors.ErrUnsupported }

// interrupt would ask the process to end by itself; Windows has no signal for that.
func (t *tree) interrupt() error { return errors.ErrUnsupported }

func (t *tree) close() { _ = windows.CloseHandle(t.job) }

// usage asks the job for its accounts.
func (t *tree) usage() usage {
	var account struct { // JOBOBJECT_BASIC_ACCOUNTING_INFORMATION
		TotalUserTime, TotalKernelTime           int64 // in 100 ns
		ThisPeriodUserTime, ThisPeriodKernelTime int64
		PageFaults, Processes, Active, Ended     uint32
	}
	var limit windows.JOBOBJECT_EXTENDED_LIMIT_INFORMATION
	if windows.QueryInformationJobObject(t.job, windows.JobObjectBasicAccountingInformation,
		uintptr(unsafe.Pointer(&account)), uint32(unsafe.Sizeof(account)), nil) != nil ||
		windows.QueryInformationJobObject(t.job, windows.JobObjectExtendedLimitInformation,
			uintptr(unsafe.Pointer(&limit)), uint32(unsafe.Sizeof(limit)), nil) != nil {
		return usage{}
	}
	return usage{
		cpu:       time.Duration(account.TotalUserTime+account.TotalKernelTime) * 100,
		memory:    int64(limit.PeakJobMemoryUsed),
		processes: int(account.Active),
	}
}
