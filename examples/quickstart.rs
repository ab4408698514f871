//! x
use runtime_core::*;
fn main(){
  let a: Vec<String> = std::env::args().collect();
  let b = ContainerBuilder::new("t1").root("/tmp/ct/root").bundle(&a[2]);
  match a[1].as_str() {
    "plan" => match b.plan() { Ok(p) => print!("{p}"), Err(e) => println!("{e:?}") },
    "run" => match b.run() { Ok(c) => { println!("{:?} {:?}", c.state(), c.wait()); println!("{:?}", c.delete(true)); }, Err(e) => println!("{e:?}") },
    "create" => match b.create() { Ok(mut c) => { println!("{:?}", c.state()); println!("{:?}", c.start());println!("{:?} {:?}", c.state(), c.wait()); println!("{:?}", c.delete(true)); }, Err(e) => println!("{e:?}") },
    _ => {}
  }
}
