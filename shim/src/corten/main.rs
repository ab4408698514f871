//! x
fn main() { println!("{:?}", std::thread::spawn(|| 5).join().ok()); }
