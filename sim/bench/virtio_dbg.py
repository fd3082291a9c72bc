import cocotb
from .virtio_bench import VirtioBench
from .bench import settings
@cocotb.test
async def dbg(dut):
    bench = VirtioBench(dut, seed=settings()["seed"], stall="never", latency=0, pieces=4)
    await bench.reset()
    from virtio_driver import Ring
    add=Ring.add
    def add2(self,pieces,token,write=False,table=None):
        h=self._free[0]
        print("ADD",h,self.avail_idx,[(hex(a),l) for a,l in pieces],table and hex(table)); return add(self,pieces,token,write=write,table=table)
    Ring.add=add2
    await bench.driver.start()
    log=[]
    w=bench.target.write
    async def write(a,d):
        log.append((hex(a),bytes(d).hex())); await w(a,d)
    bench.target.write=write
    bench.slave.write_if.target=bench.target
    from cocotb.triggers import ClockCycles

    bench.pause("seldom"); bench.target.latency=30
    irq = cocotb.start_soon(bench.service_interrupts())
    g=bench.driver._gather
    def gather(data):
        p=bench.driver._partial
        print("GOT", len(data), data[:16].hex(), p and p[0])
        try: g(data)
        except Exception:
            print("PIECES", [(hex(a),l,bench.memory.bus_read(a,min(l,16)).hex()) for a,l in bench.lastp])
            for l in log[-260:]: print("W", l)
            raise
    bench.driver._gather=gather
    t=bench.driver.rx.take
    def take():
        for x in t():
            bench.lastp=x[0][0]
            print("TAKE",x[0][0],x[1]); yield x
    bench.driver.rx.take=take
    for n in range(40):
        l=bench.rng.choice((20,60,1514,3000,1700))
        print("SEND",n,l)
        await bench.arrive(bytes([n+1])*l)
    await bench.until(lambda: len(bench.driver.received) >= 40, "the last frame")
