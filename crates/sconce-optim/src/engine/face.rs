//! What every optimiser around an [`Engine`](super::Engine) offers.

/// The public face of a rule that is a struct around its engine.
macro_rules! optimizer {
    ($name:ident, $config:ty) => {
        impl $name {
            /// A rule for the parameters of a store.
            ///
            /// # Errors
            #[doc = concat!("See [`", stringify!($name), "`].")]
            pub fn new<P: sconce_core::Parameters + ?Sized>(
                cfg: &$config,
                parameters: &P,
            ) -> sconce_core::Result<Self> {
                Ok(Self($crate::engine::Engine::new(*cfg, parameters)?))
            }

            /// Gives the parameters whose name matches `glob` (`*` matches dots too) options of their own, as in no decay for
            #[doc = concat!("biases. See [`add_group`](", stringify!($name), "::add_group).")]
            ///
            /// # Errors
            #[doc = concat!("Those of [`add_group`](", stringify!($name), "::add_group).")]
            pub fn with_group(mut self, glob: &str, cfg: &$config) -> sconce_core::Result<Self> {
                self.add_group(glob, cfg)?;
                Ok(self)
            }

            /// Moves the parameters whose name matches `glob` into a new group with these options, whatever group they were in;
            /// their state stays. The groups' order is that in which they were added, after the first, which holds the rest.
            ///
            /// # Errors
            /// An option is out of range; the glob is malformed or matches no parameter; a parameter already has state of
            /// another kind. Then nothing was moved.
            pub fn add_group(&mut self, glob: &str, cfg: &$config) -> sconce_core::Result<()> {
                self.0.add_group(glob, *cfg)
            }

            /// The options of each group, with the names of its parameters.
            pub fn groups(&self) -> Vec<(&$config, Vec<&str>)> {
                self.0.groups()
            }

            /// Takes on the parameters of a store that this rule wasn't made with, each into the last group whose glob its name
            /// matches, else into the first; those that it was made with stay as they are.
            ///
            /// # Errors
            /// A name is that of another parameter already. Then nothing was taken on.
            pub fn add_parameters<P: sconce_core::Parameters + ?Sized>(
                &mut self,
                parameters: &P,
            ) -> sconce_core::Result<()> {
                self.0.add_parameters(parameters)
            }

            /// From now on a step by a gradient that isn't finite is an error that names the parameter and the element, and
            /// changes nothing. It costs one more pass over the gradients.
            pub fn refusing_non_finite(mut self) -> Self {
                self.0.check_finite();
                self
            }

            /// A copy of the state: each tensor under its parameter's name and PyTorch's name of it, as in
            /// `fc1.weight.exp_avg`. Parameters that had no gradient yet have none.
            ///
            /// # Errors
            /// Those of candle's copy.
            pub fn state(&self) -> sconce_core::Result<Vec<(String, candle_core::Tensor)>> {
                self.0.state()
            }

            /// Replaces the state by one that `state` gave, or that a PyTorch optimiser had, under these names: the next steps
            /// are those that would have followed there. The options, learning rates among them, stay. A parameter that the
            /// given state leaves out has none afterwards.
            ///
            /// # Errors
            /// A name that is none of this rule's; a part that is missing; another shape than the parameter's. Then nothing was
            /// changed.
            pub fn load_state(&mut self, state: &[(String, candle_core::Tensor)]) -> sconce_core::Result<()> {
                self.0.load_state(state)
            }
        }

        impl $crate::Optimize for $name {
            fn step(&mut self, gradients: &sconce_core::Gradients) -> sconce_core::Result<()> {
                self.0.step(gradients)
            }

            fn name(&self) -> &str {
                <$config as $crate::engine::Rule>::NAME
            }

            fn learning_rates(&self) -> Vec<f64> {
                use $crate::engine::Rule;
                self.0.rules().iter().map(Rule::learning_rate).collect()
            }

            fn set_learning_rates(&mut self, learning_rates: &[f64]) -> sconce_core::Result<()> {
                use $crate::engine::Rule;
                self.0
                    .set_each("lr", learning_rates, Rule::set_learning_rate)
            }

            fn set_learning_rate(&mut self, learning_rate: f64) {
                self.0.set_learning_rate(learning_rate);
            }

            fn learning_rate_of(&self, name: &str) -> f64 {
                self.0.learning_rate_of(name)
            }

            fn state(&self) -> sconce_core::Result<Vec<(String, candle_core::Tensor)>> {
                self.0.state()
            }

            fn load_state(&mut self, state: &[(String, candle_core::Tensor)]) -> sconce_core::Result<()> {
                self.0.load_state(state)
            }

            fn momenta(&self) -> Vec<f64> {
                use $crate::engine::Rule;
                self.0.rules().iter().filter_map(Rule::momentum).collect()
            }

            fn set_momenta(&mut self, momenta: &[f64]) -> sconce_core::Result<()> {
                use $crate::engine::Rule;
                if self.0.rules().iter().any(|rule| rule.momentum().is_none()) {
                    return Err(sconce_core::Error::config(
                        <$config as Rule>::NAME,
                        "momentum",
                        format!("{momenta:?}"),
                        "none, since this rule has none",
                    ));
                }
                self.0.set_each("momentum", momenta, Rule::set_momentum)
            }
        }

        /// For code that is written for candle's own optimisers. Groups by name need names, which this way of making one
        #[doc = concat!("doesn't give: [`", stringify!($name), "::new`] does, and takes a `VarMap`.")]
        impl sconce_core::candle_nn::Optimizer for $name {
            type Config = $config;

            fn new(vars: Vec<candle_core::Var>, config: $config) -> candle_core::Result<Self> {
                Ok(Self($crate::engine::Engine::nameless(config, vars)?))
            }

            fn step(&mut self, gradients: &candle_core::backprop::GradStore) -> candle_core::Result<()> {
                Ok(self.0.step_by_candle(gradients)?)
            }

            fn learning_rate(&self) -> f64 {
                $crate::Optimize::learning_rate(self)
            }

            fn set_learning_rate(&mut self, learning_rate: f64) {
                self.0.set_learning_rate(learning_rate);
            }
        }
    };
}
pub(crate) use optimizer;
